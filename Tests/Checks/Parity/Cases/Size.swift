import Glibc

/// truncate(2), ftruncate(2), fallocate(2), sparse and very large files.
let sizeCases: [Case] = [
    Case("truncate") { make in
        make.file("f", "0123456789")
        make.file("other", "0123456789")
        make.dir("d")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
        make.file("set", "0123456789", mode: 0o6755)
    } body: { scene in
        for name: Name in ["f", "s", "d", "dangling", "p", "none", "f/x", "f/", ""] {
            for length in [-1, 10, 4, 20, 0, 5] { scene.truncate(name, length) }
        }
        scene.contents("f")
        // To the size it has: the times change nevertheless.
        scene.timeEffects("truncate to same size", of: ["other"]) { scene.truncate("other", 10) }
        scene.timeEffects("truncate to less", of: ["other"]) { scene.truncate("other", 3) }
        scene.asUser(1000) {
            scene.truncate("f", 1)
        }
        scene.truncate("set", 5)
        scene.stat("set")
        scene.truncate("f", Int.max)
        scene.stat("f")
    },

    Case("ftruncate") { make in
        make.file("f", "0123456789")
        make.dir("d")
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            for length in [4, 8, 4096, 4097, 0, 100, -1] as [Int64] {
                scene.ftruncate(fd, length)
                scene.fstat(fd)
                scene.pread(fd, 20, 0)
            }
            // Beyond what any filesystem offers.
            scene.ftruncate(fd, Int64.max)
            scene.fstat(fd)
        }
        scene.opened("f", O_RDONLY) { scene.ftruncate($0, 1) }
        scene.opened("f", O_WRONLY | O_APPEND) { scene.ftruncate($0, 1) }
        scene.opened("d", O_RDONLY) { scene.ftruncate($0, 0) }
        scene.contents("f")
    },

    Case("truncate-then-extend-reads-zeros") { make in
        make.file("f", bytes: Array(repeating: 0x41, count: 10000))
    } body: { scene in
        // What was cut off must not come back, at no offset within a page.
        for cut in [9999, 8192, 8000, 4097, 4096, 4095, 1, 0] {
            scene.truncate("f", cut)
            scene.truncate("f", 10000)
            scene.contents("f")
        }
        scene.opened("f", O_RDWR) { fd in
            scene.pwrite(fd, "end", 9000)
            scene.ftruncate(fd, 9001)
            scene.ftruncate(fd, 9010)
            scene.contents(of: fd)
        }
    },

    Case("fallocate") { make in
        for name in ["alloc", "keep", "punch", "zero", "collapse", "insert", "odd"] {
            make.file(Name(name.utf8), bytes: (0..<65536).map { UInt8(truncatingIfNeeded: $0 / 251) })
        }
        make.dir("d")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        func each(_ name: Name, _ mode: Int32, _ ranges: [(Int64, Int64)]) {
            scene.with("\(name)") {
                scene.opened(name, O_RDWR) { fd in
                    for (offset, length) in ranges {
                        scene.fallocate(fd, mode, offset, length)
                        scene.fstat(fd)
                        scene.contents(of: fd)
                    }
                }
            }
        }
        let ranges: [(Int64, Int64)] = [
            (0, 4096), (100, 50), (60000, 10000), (200_000, 4096), (0, 0), (-1, 10), (10, -1),
        ]
        each("alloc", 0, ranges)
        each("keep", FALLOC_FL_KEEP_SIZE, ranges)
        each("punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ranges)
        each("punch", FALLOC_FL_PUNCH_HOLE, [(0, 4096)])
        each("zero", FALLOC_FL_ZERO_RANGE, ranges)
        each("zero", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, [(65000, 10000)])
        each("collapse", FALLOC_FL_COLLAPSE_RANGE, [(4096, 8192), (0, 100), (61440, 4096), (4096, 1 << 30)])
        each("insert", FALLOC_FL_INSERT_RANGE, [(4096, 8192), (0, 100), (1 << 20, 4096)])
        each("odd", 0x4000, [(0, 4096)])
        each("odd", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE, [(0, 4096)])
        scene.opened("alloc", O_RDONLY) { scene.fallocate($0, 0, 0, 10) }
        scene.opened("d", O_RDONLY) { scene.fallocate($0, 0, 0, 10) }
        scene.opened("p", O_RDWR) { scene.fallocate($0, 0, 0, 10) }
        scene.opened("alloc", O_RDWR) { scene.fallocate($0, 0, Int64.max - 5, 4096) }
    },

    Case("fallocate-holes") { make in
        make.file("f", bytes: Array(repeating: 7, count: 1 << 20))
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            scene.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 131_072)
            _ = Sys.fsync(fd)
            scene.seek(fd, 0, SEEK_HOLE)
            scene.seek(fd, 65536, SEEK_DATA)
            scene.yes("space was given back", Sys.status(fd: fd).1.blocks * 512 < 1 << 20)
        }
    },

    Case("fallocate-setid") { make in
        for name in ["alloc", "punch"] { make.file(Name(name.utf8), "0123456789", mode: 0o6777) }
    } body: { scene in
        scene.asUser(1000) {
            scene.opened("alloc", O_RDWR) { scene.fallocate($0, 0, 0, 100) }
            scene.opened("punch", O_RDWR) { scene.fallocate($0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4) }
        }
        scene.stat("alloc")
        scene.stat("punch")
    },

    Case("sparse-huge") { make in
        make.sparse("huge", size: 5 << 30, data: [(3, "near"), ((4 << 30) + 5, "beyond 4 GiB")])
    } body: { scene in
        scene.stat("huge")
        scene.opened("huge", O_RDONLY) { fd in
            scene.pread(fd, 16, (4 << 30) + 3)
            scene.seek(fd, 1 << 20, SEEK_DATA)
            scene.seek(fd, (4 << 30) + 5, SEEK_HOLE)
        }
        // In lower layers this copies up five GiB of hole.
        scene.opened("huge", O_RDWR) { fd in
            scene.pwrite(fd, "written", (5 << 30) - 3)
            scene.fstat(fd)
            scene.pread(fd, 16, (4 << 30) + 3)
            scene.pread(fd, 16, 0)
            scene.seek(fd, 1 << 20, SEEK_DATA)
            scene.yes("is still sparse", Sys.status(fd: fd).1.blocks < 100_000)
            scene.pwrite(fd, "far", (1 << 41) + 1)
            scene.fstat(fd)
        }
        scene.truncate("huge", (4 << 30) + 7)
        scene.opened("huge", O_RDONLY) { scene.pread($0, 10, (4 << 30) + 3) }
        // Small again, for the sake of whoever compares the trees.
        scene.truncate("huge", 4096)
    },
]
