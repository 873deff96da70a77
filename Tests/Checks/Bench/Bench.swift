import CShims
import Glibc

/// `bench WORKLOAD PATH`: one workload that no ordinary program is, as a process of its own for scripts/bench to time.
enum Bench {
    static func run(_ words: [Name]) -> Int32 {
        guard words.count == 2 || words.count == 3, let what = words.first else { return Arguments.usage() }
        let path = words[1]
        let count = words.count == 3 ? Int(String(decoding: words[2].bytes, as: UTF8.self)) ?? 0 : 0
        switch String(decoding: what.bytes, as: UTF8.self) {
        case "tree": return BenchTree.make(path)
        case "file": return file(path, bytes: count)
        case "pread": return randomReads(path, count)
        case "mmap": return mappedReads(path, count)
        case "write": return writes(path, bytes: count, each: 1 << 20)
        case "small-writes": return writes(path, bytes: count, each: 4096)
        case "rewrite": return rewrite(path, count)
        case "create": return create(path, count)
        case "absent": return absent(path, count)
        case "append": return append(path)
        case "append-all": return appendAll(path, count)
        default: return Arguments.usage()
        }
    }

    private static func opened(_ path: Name, _ flags: Int32, _ body: (Int32) -> Bool) -> Int32 {
        let fd = Sys.open(path, flags, 0o644)
        guard fd >= 0 else { return complain("\(path): \(show(fd))") }
        defer { Sys.close(Int32(fd)) }
        return body(Int32(fd)) ? 0 : complain("\(path): failed half-way")
    }

    private static func file(_ path: Name, bytes: Int) -> Int32 {
        var random = Random(seed: 1)
        let block = random.bytes(1 << 20)
        return opened(path, O_WRONLY | O_CREAT | O_TRUNC) { fd in
            (0..<bytes / block.count).allSatisfy { _ in Sys.write(fd, block) == block.count }
        }
    }

    private static func randomReads(_ path: Name, _ count: Int) -> Int32 {
        var random = Random(seed: 2)
        return opened(path, O_RDONLY) { fd in
            let blocks = Int(Sys.status(fd: fd).1.size) / 4096
            guard blocks > 0,
                case .mapped(let buffer) = Mapping.make(-1, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | 0x20)
            else { return false }
            return (0..<count).allSatisfy { _ in buffer.pread(fd, at: random.below(blocks) * 4096, count: 4096) == 4096
            }
        }
    }

    private static func mappedReads(_ path: Name, _ count: Int) -> Int32 {
        var random = Random(seed: 3)
        return opened(path, O_RDONLY) { fd in
            let size = Int(Sys.status(fd: fd).1.size)
            guard size >= 4096, case .mapped(let map) = Mapping.make(fd, size, PROT_READ, MAP_SHARED) else {
                return false
            }
            var sum = 0
            for _ in 0..<count {
                let at = random.below(size / 4096) * 4096
                sum &+= Int(map.bytes(at..<at + 1)[0])
            }
            return sum >= 0
        }
    }

    private static func writes(_ path: Name, bytes: Int, each: Int) -> Int32 {
        var random = Random(seed: 4)
        let block = random.bytes(each)
        return opened(path, O_WRONLY | O_CREAT | O_TRUNC) { fd in
            (0..<bytes / each).allSatisfy { _ in Sys.write(fd, block) == each }
        }
    }

    private static func rewrite(_ path: Name, _ count: Int) -> Int32 {
        var random = Random(seed: 5)
        let block = random.bytes(4096)
        return opened(path, O_RDWR) { fd in
            let blocks = Int(Sys.status(fd: fd).1.size) / 4096
            return blocks > 0
                && (0..<count).allSatisfy { _ in Sys.pwrite(fd, block, at: Int64(random.below(blocks) * 4096)) == 4096 }
        }
    }

    /// Each in a process of its own, two at once, in directories of their own.
    private static func create(_ path: Name, _ count: Int) -> Int32 {
        let children = (0..<2).map { number -> Int in
            let pid = Sys.fork()
            if pid != 0 { return pid }
            let base = path.joined("made\(number)")
            guard Sys.mkdir(base, 0o755) >= 0 else { exit(1) }
            for i in 0..<count {
                let fd = Sys.open(base.joined("file\(i)"), O_WRONLY | O_CREAT | O_EXCL, 0o644)
                guard fd >= 0, Sys.write(Int32(fd), [1, 2, 3, 4]) == 4 else { exit(1) }
                Sys.close(Int32(fd))
            }
            exit(0)
        }
        return children.map { $0 < 0 ? 1 : Int32(Sys.wait(Int32($0))) }.max() ?? 1
    }

    private static func absent(_ path: Name, _ count: Int) -> Int32 {
        for i in 0..<count where Sys.status(path.joined("missing\(i)")).0 != -Int(ENOENT) {
            return complain("missing\(i) is there")
        }
        return 0
    }

    private static func append(_ path: Name) -> Int32 { opened(path, O_WRONLY | O_APPEND) { Sys.write($0, [10]) == 1 } }

    /// To the first so many regular files below.
    private static func appendAll(_ path: Name, _ count: Int) -> Int32 {
        var left = count
        var directories = [path]
        while let directory = directories.popLast(), left > 0 {
            let fd = Sys.open(directory, O_RDONLY | O_DIRECTORY)
            guard fd >= 0 else { return complain("\(directory): \(show(fd))") }
            let entries = Sys.allEntries(Int32(fd)).1.sorted { $0.name < $1.name }
            Sys.close(Int32(fd))
            for entry in entries where entry.name != "." && entry.name != ".." && left > 0 {
                let name = directory.joined(entry.name)
                let status = Sys.status(name).1
                if status.isDirectory {
                    directories.append(name)
                } else if status.isRegular {
                    if append(name) != 0 { return 1 }
                    left -= 1
                }
            }
        }
        return left == 0 ? 0 : complain("only \(count - left) files")
    }
}
