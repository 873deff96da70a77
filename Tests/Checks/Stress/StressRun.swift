import CShims
import Glibc

/// `stress`: several processes in the same directories. Each verifies what it alone owns, to the byte, and makes
/// trouble for the others with names that all share; there only errors that a race gives on any filesystem are
/// tolerated. The seed chooses what each process does; how they meet is the scheduler's.
enum StressRun {
    static let directories: [Name] = ["d0", "d1", "d2", "d3"]
    /// Files that nobody shortens, of one page for each process, to be mapped by all.
    static let mappedFiles: [Name] = ["m0", "m1"]
    static let page = 4096
    /// How long after its time a process may still be at its last operation before it is taken for hung.
    private static let patience = 120

    static func run(_ arguments: [Name]) -> Int32 {
        var parser = Arguments(arguments)
        guard let seconds = parser.number("--seconds"), let processes = parser.number("--processes"),
            let seed = parser.number("--seed"), let known = parser.option("--known") ?? Optional(""), processes > 0,
            processes <= 256, let words = parser.rest(1)
        else { return Arguments.usage() }
        let work = words[0].joined("unionfsd-check-stress.\(getpid())")
        guard Sys.mkdir(work, 0o755) >= 0, Sys.chdir(work) >= 0 else { return complain("stress: cannot make \(work)") }
        for directory in directories { Maker().dir(directory) }
        for file in mappedFiles { Maker().file(file, bytes: Array(repeating: 0, count: page * Int(processes))) }
        printLine("seed \(seed)")

        let start = cs_monotonic_ns()
        let (ended, lines) = runProcesses(
            Int(processes), seed: seed, writesBack: known == "writeback", until: start + seconds * 1_000_000_000,
            patience: Int(seconds) + patience)
        let elapsed = Double(cs_monotonic_ns() - start) / 1e9
        var (operations, passed, failed) = (0, 0, 0)
        for line in lines {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 3 else { continue }
            operations += numbers[0]
            passed += numbers[1]
            failed += numbers[2]
        }
        for (index, status) in ended.enumerated() where status != 0 {
            failed += 1
            printLine(
                "FAIL process \(index) ended with \(status >= 256 ? "signal \(status - 256)" : "status \(status)")")
        }
        // Everything must go, and leave nothing behind that readdir does not show.
        let removed = Sys.chdir("..") < 0 ? -1 : removeTree(work.split.last)
        if removed < 0 {
            failed += 1
            printLine("FAIL clean-up: \(show(removed))")
        }
        printLine("\(operations) operations, \(Int(Double(operations) / max(elapsed, 0.001))) operations/s")
        printLine("\(passed) passed, \(failed) failed")
        return failed == 0 ? 0 : 1
    }

    /// How each process ended, and the line that each has written at its end.
    private static func runProcesses(
        _ count: Int, seed: UInt64, writesBack: Bool, until: UInt64, patience: Int
    ) -> ([Int], [Substring]) {
        let pipe = Sys.pipe()
        var children: [Int] = []
        for index in 0..<count {
            let pid = Sys.fork()
            if pid == 0 {
                Sys.close(pipe.read)
                var worker = Worker(index: index, count: count, seed: seed, writesBack: writesBack)
                let (operations, passed, failed) = worker.work(until: until)
                writeAll(pipe.write, Array("\(operations) \(passed) \(failed)\n".utf8))
                exit(0)
            }
            children.append(pid)
        }
        Sys.close(pipe.write)
        var text: [UInt8] = []
        let deadline = cs_monotonic_ns() + UInt64(patience) * 1_000_000_000
        while true {
            let now = cs_monotonic_ns()
            if now >= deadline || cs_poll_in(pipe.read, Int32((deadline - now) / 1_000_000)) == 0 {
                printLine("FAIL processes are hung")
                for pid in children where pid > 0 { _ = cs_kill(Int32(pid), SIGKILL) }
                break
            }
            let (result, bytes) = Sys.read(pipe.read, 4096)
            if result <= 0 { break }
            text += bytes
        }
        Sys.close(pipe.read)
        let ended = children.map { $0 > 0 ? Sys.wait(Int32($0)) : $0 }
        return (ended, String(decoding: text, as: UTF8.self).split(separator: "\n"))
    }
}
