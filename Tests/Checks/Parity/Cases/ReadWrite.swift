import Glibc

/// read(2), write(2) and their relatives, O_APPEND, O_DIRECT, lseek(2).
let readWriteCases: [Case] = [
    Case("read-write") { make in
        make.file("f", "0123456789")
        make.dir("d")
    } body: { scene in
        scene.opened("f", O_RDONLY) { fd in
            scene.read(fd, 4)
            scene.read(fd, 0)
            scene.read(fd, 100)
            scene.read(fd, 100)
            for offset in [0, 3, 9, 10, 11, 1 << 40, -1] as [Int64] { scene.pread(fd, 5, offset) }
            scene.pread(fd, 0, 5)
            scene.write(fd, "x")
            scene.pwrite(fd, "x", 0)
        }
        scene.opened("f", O_WRONLY) { fd in
            scene.read(fd, 4)
            scene.pread(fd, 4, 0)
            scene.write(fd, "AB")
            scene.write(fd, "")
            scene.pwrite(fd, "ZZ", 20)
            scene.pwrite(fd, "Q", -1)
            scene.pwrite(fd, "", 100)
            scene.fstat(fd)
        }
        scene.contents("f")
        scene.opened("d", O_RDONLY) { fd in
            scene.read(fd, 10)
            scene.pread(fd, 10, 0)
            scene.write(fd, "x")
        }
        scene.read(999, 1)
    },

    Case("read-write-vectors") { make in
        make.file("f", String(repeating: "abcdefghij", count: 100))
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            for lengths in [[1, 2, 3], [0, 5, 0], [1000, 1000], []] {
                let (result, bytes) = Sys.readv(fd, lengths)
                scene.note("readv(\(lengths))", result < 0 ? show(result) : showBytes(bytes))
            }
            for (lengths, offset) in [([4, 4], 8), ([600, 600], 500), ([1], 1000), ([1], -1)] {
                let (result, bytes) = Sys.readv(fd, lengths, at: offset)
                scene.note("preadv(\(lengths), \(offset))", result < 0 ? show(result) : showBytes(bytes))
            }
            scene.seek(fd, 0, SEEK_SET)
            scene.result("writev", Sys.writev(fd, Array("one-two-three".utf8), [3, 1, 3, 1, 5]))
            scene.result("writev of nothing", Sys.writev(fd, [], []))
        }
        scene.contents("f")
    },

    Case("append") { make in
        make.file("f", "start")
        make.file("g", "start")
    } body: { scene in
        scene.opened("f", O_WRONLY | O_APPEND) { fd in
            scene.write(fd, "-one")
            // Linux appends here too, against POSIX (pwrite(2), BUGS).
            scene.pwrite(fd, "-two", 0)
            scene.seek(fd, 0, SEEK_SET)
            scene.write(fd, "-three")
            scene.seek(fd, 0, SEEK_CUR)
            scene.ftruncate(fd, 3)
            scene.write(fd, "-four")
        }
        scene.contents("f")
        // Two descriptors, each finding the end that the other has made.
        scene.opened("g", O_RDWR | O_APPEND) { a in
            scene.opened("g", O_RDWR | O_APPEND) { b in
                for round in 0..<5 {
                    scene.write(a, "a\(round)")
                    scene.write(b, "b\(round)")
                }
                scene.contents(of: a)
                scene.contents(of: b)
            }
        }
        scene.timeEffects("append", of: ["g"]) { scene.opened("g", O_WRONLY | O_APPEND) { scene.write($0, "x") } }
    },

    Case("append-two-processes") { make in
        make.file("f")
    } body: { scene in
        // Appends are atomic: no record may be lost or torn, whatever the order.
        var children: [Int] = []
        for writer in 0..<4 {
            let pid = Sys.fork()
            if pid == 0 {
                let fd = Int32(Sys.open("f", O_WRONLY | O_APPEND))
                for _ in 0..<200 { _ = Sys.write(fd, Array(repeating: UInt8(0x41 + writer), count: 16)) }
                exit(0)
            }
            children.append(pid)
        }
        for pid in children { _ = Sys.wait(Int32(pid)) }
        let fd = Int32(Sys.open("f", O_RDONLY))
        let (result, bytes) = Sys.contents(fd)
        scene.result("length", result)
        let records = stride(from: 0, to: bytes.count, by: 16).map { Array(bytes[$0..<min($0 + 16, bytes.count)]) }
        scene.result("whole records", records.filter { Set($0).count == 1 }.count)
        // The order is the scheduler's: it must not get into the tree's lines.
        scene.truncate("f", 0)
    },

    Case("seek") { make in
        make.file("f", "0123456789")
        make.dir("d")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            for (offset, whence) in [
                (5, SEEK_SET), (2, SEEK_CUR), (-3, SEEK_CUR), (-100, SEEK_CUR), (0, SEEK_END), (-4, SEEK_END),
                (100, SEEK_END), (-100, SEEK_END), (-1, SEEK_SET), (1 << 43, SEEK_SET), (Int64.max, SEEK_SET),
                (1, SEEK_CUR), (0, 9), (0, SEEK_DATA), (0, SEEK_HOLE), (9, SEEK_DATA), (10, SEEK_DATA), (10, SEEK_HOLE),
                (-1, SEEK_DATA), (11, SEEK_HOLE),
            ] { scene.seek(fd, offset, whence) }
            scene.seek(fd, 50, SEEK_SET)
            scene.write(fd, "after a gap")
            scene.contents(of: fd)
        }
        scene.opened("p", O_RDWR) { scene.seek($0, 0, SEEK_CUR) }
        scene.opened("d", O_RDONLY) { scene.seek($0, 0, SEEK_SET) }
    },

    Case("seek-holes") { make in
        make.sparse("holes", size: 1 << 20, data: [(65536, "data at 64k"), (500_000, "and at 500000")])
        make.sparse("hole", size: 1 << 20)
        make.file("empty")
    } body: { scene in
        for name: Name in ["holes", "hole", "empty"] {
            for access in [O_RDONLY, O_RDWR] {
                scene.opened(name, access) { fd in
                    for offset in [0, 1, 4096, 65536, 65537, 70000, 499_999, 500_000, 520_000, 1 << 20, 1 << 21]
                        as [Int64]
                    {
                        scene.seek(fd, offset, SEEK_DATA)
                        scene.seek(fd, offset, SEEK_HOLE)
                    }
                }
            }
            // Whether the hole takes space: a copy must not fill it.
            let status = Sys.status(name).1
            scene.yes("\(name) is sparse", status.blocks * 512 < max(1, status.size))
        }
    },

    Case("direct") { make in
        make.file("f", bytes: (0..<16384).map { UInt8(truncatingIfNeeded: $0 / 7) })
    } body: { scene in
        guard case .mapped(let memory) = Mapping.make(-1, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
        else { return scene.note("memory", "none") }
        for flags in [O_RDONLY | O_DIRECT, O_RDWR | O_DIRECT] {
            scene.opened("f", flags) { fd in
                for (offset, count) in [(0, 4096), (4096, 8192), (12288, 8192), (16384, 4096), (512, 512)] {
                    let result = memory.pread(fd, at: offset, count: count)
                    scene.note(
                        "pread(\(count), \(offset))",
                        result < 0 ? show(result) : showBytes(memory.bytes(0..<result)))
                }
                memory.store(Array(repeating: 0x57, count: 4096), at: 0)
                scene.result("pwrite", memory.pwrite(fd, at: 4096, count: 4096))
                scene.result("pwrite at the end", memory.pwrite(fd, at: 16384, count: 4096))
                scene.fstat(fd)
            }
        }
        // Beside it, through the page cache.
        scene.contents("f")
        scene.opened("f", O_RDWR) { cached in
            scene.opened("f", O_RDWR | O_DIRECT) { direct in
                scene.pwrite(cached, "cached write", 100)
                let result = memory.pread(direct, at: 0, count: 4096)
                scene.note("direct read sees it", result < 0 ? show(result) : showBytes(memory.bytes(96..<116)))
                memory.store(Array("direct write".utf8), at: 0)
                scene.result("direct write", memory.pwrite(direct, at: 0, count: 4096))
                scene.pread(cached, 16, 0)
            }
        }
    },

    Case("sync") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for name: Name in ["f", "d"] {
            scene.opened(name, O_RDONLY) { fd in
                scene.with("\(name)") {
                    scene.result("fsync", Sys.fsync(fd))
                    scene.result("fdatasync", Sys.fdatasync(fd))
                    scene.result("syncfs", Sys.syncfs(fd))
                }
            }
        }
        scene.opened("f", O_RDWR | O_SYNC) { scene.write($0, "synchronous") }
        scene.opened("f", O_RDWR | O_DSYNC) { scene.write($0, "data") }
        scene.opened("f", O_PATH) { scene.result("fsync of O_PATH", Sys.fsync($0)) }
    },

    Case("read-write-times") { make in
        make.file("f", "some text")
        make.dir("d")
        make.file("d/f", "some text")
    } body: { scene in
        scene.timeEffects("read", of: ["f"]) { scene.contents("f") }
        scene.timeEffects("write", of: ["f"]) { scene.opened("f", O_WRONLY) { scene.write($0, "x") } }
        scene.timeEffects("write of nothing", of: ["f"]) { scene.opened("f", O_WRONLY) { scene.write($0, "") } }
        scene.timeEffects("open for writing", of: ["d/f", "d"]) { scene.opened("d/f", O_RDWR) { _ in } }
        scene.timeEffects("write below", of: ["d/f", "d"]) { scene.opened("d/f", O_RDWR) { scene.write($0, "x") } }
    },

    Case("write-large") { make in
        make.file("big", bytes: (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 / 256) })
    } body: { scene in
        scene.contents("big")
        scene.opened("big", O_RDWR) { fd in
            for (offset, length) in [
                (0, 1), (4095, 2), (131_071, 3), (1_000_000, 300_000), (2_999_999, 2), (3_500_000, 10),
            ] {
                let bytes = Array(repeating: UInt8(truncatingIfNeeded: offset), count: length)
                scene.result("pwrite(\(length), \(offset))", Sys.pwrite(fd, bytes, at: Int64(offset)))
            }
            scene.fstat(fd)
            scene.contents(of: fd)
        }
        scene.opened("big", O_RDONLY) { fd in
            for (offset, count) in [(0, 1), (4090, 100), (131_000, 200_000), (2_999_990, 100), (3_499_990, 50)] {
                scene.pread(fd, count, Int64(offset))
            }
        }
    },
]
