import Glibc

/// Standard output, collected: a manifest has many lines and a write(2) for each would cost more than the walk.
struct Output {
    private var pending: [UInt8] = []

    mutating func line(_ text: String) {
        pending += Array(text.utf8)
        pending.append(0x0a)
        if pending.count > 1 << 16 { flush() }
    }

    mutating func flush() {
        writeAll(1, pending)
        pending.removeAll(keepingCapacity: true)
    }
}

func writeAll(_ fd: Int32, _ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let result = Sys.write(fd, Array(rest))
        if result == -Int(EINTR) { continue }
        guard result > 0 else { return }
        rest = rest.dropFirst(result)
    }
}

func printLine(_ text: String) { writeAll(1, Array(text.utf8) + [0x0a]) }
func printError(_ text: String) { writeAll(2, Array(text.utf8) + [0x0a]) }

/// A complaint that ends a subcommand: not a difference between trees, but work that could not be done.
func complain(_ text: String) -> Int32 {
    printError("unionfsd-check: " + text)
    return 2
}
