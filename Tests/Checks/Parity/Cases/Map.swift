import Glibc

/// mmap(2): shared and private, coherence with read(2) and write(2), with truncation and across processes.
let mapCases: [Case] = [
    Case("map-read") { make in
        make.file("f", bytes: (0..<10000).map { UInt8(truncatingIfNeeded: $0 / 13) })
    } body: { scene in
        for (access, protection, flags) in [
            (O_RDONLY, PROT_READ, MAP_SHARED), (O_RDONLY, PROT_READ, MAP_PRIVATE),
            (O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE),
            (O_RDONLY, PROT_READ | PROT_WRITE, MAP_SHARED), (O_WRONLY, PROT_READ, MAP_SHARED),
            (O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED),
            (O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE), (O_PATH, PROT_READ, MAP_PRIVATE),
        ] {
            scene.opened("f", access) { fd in
                scene.mapped("mmap \(protection) \(flags)", fd, 10000, protection, flags) { map in
                    scene.note("bytes", showBytes(map.bytes(0..<10000)))
                    // The rest of the last page is zeros.
                    scene.note("last", showBytes(map.bytes(9990..<10000)))
                }
            }
        }
        scene.opened("f", O_RDONLY) { fd in
            scene.mapped("mmap at 4096", fd, 4096, PROT_READ, MAP_SHARED, offset: 4096) {
                scene.note("bytes", showBytes($0.bytes(0..<4096)))
            }
            scene.mapped("mmap unaligned", fd, 4096, PROT_READ, MAP_SHARED, offset: 100) { _ in }
            scene.mapped("mmap of nothing", fd, 0, PROT_READ, MAP_SHARED) { _ in }
        }
    },

    Case("map-write") { make in
        make.file("f", bytes: Array(repeating: 0x2e, count: 8192))
        make.file("short", "short")
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            scene.mapped("mmap", fd, 8192, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
                map.store(Array("stored".utf8), at: 4090)
                scene.pread(fd, 16, 4086)
                scene.pwrite(fd, "written", 100)
                scene.note("seen in the mapping", showBytes(map.bytes(98..<110)))
                scene.result("msync", map.sync())
            }
            scene.pread(fd, 16, 4086)
        }
        scene.contents("f")
        scene.opened("short", O_RDWR) { fd in
            scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
                map.store(Array("SHORT and beyond".utf8), at: 0)
                scene.fstat(fd)
                scene.contents(of: fd)
                scene.ftruncate(fd, 10)
                // Between the old end and the new one there are zeros, not what was stored beyond the end.
                scene.contents(of: fd)
            }
        }
        scene.contents("short")
    },

    Case("map-private") { make in
        make.file("f", "original")
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE) { map in
                map.store(Array("CHANGED!".utf8), at: 0)
                scene.contents(of: fd)
                scene.note("mapping", showBytes(map.bytes(0..<8)))
            }
        }
        scene.contents("f")
    },

    Case("map-outlives-descriptor") { make in
        make.file("f", bytes: Array(repeating: 0x41, count: 4096))
        make.file("g", bytes: Array(repeating: 0x42, count: 4096))
    } body: { scene in
        for (name, remove) in [("f", false), ("g", true)] as [(Name, Bool)] {
            guard let fd = scene.open(name, O_RDWR) else { continue }
            scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
                Sys.close(fd)
                if remove { scene.unlink(name) }
                map.store(Array("after close".utf8), at: 10)
                scene.result("msync", map.sync())
                scene.note("mapping", showBytes(map.bytes(8..<24)))
            }
            scene.contents(name)
        }
    },

    Case("map-two-openers") { make in
        make.file("f", bytes: Array(repeating: 0x2e, count: 4096))
    } body: { scene in
        scene.opened("f", O_RDWR) { a in
            scene.opened("f", O_RDWR) { b in
                scene.mapped("first", a, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { first in
                    scene.mapped("second", b, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { second in
                        first.store(Array("one".utf8), at: 0)
                        scene.note("second", showBytes(second.bytes(0..<8)))
                        second.store(Array("two".utf8), at: 4)
                        scene.note("first", showBytes(first.bytes(0..<8)))
                        scene.pread(a, 8, 0)
                        scene.inChild {
                            second.store(Array("child".utf8), at: 8)
                            scene.note("in the child", showBytes(first.bytes(0..<16)))
                        }
                        scene.note("afterwards", showBytes(first.bytes(0..<16)))
                    }
                }
            }
        }
        scene.contents("f")
    },

    Case("map-truncated") { make in
        make.file("f", bytes: Array(repeating: 0x41, count: 8192))
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            scene.mapped("mmap", fd, 8192, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
                scene.ftruncate(fd, 100)
                scene.note("within the page", showBytes(map.bytes(90..<110)))
                // Beyond the last page: SIGBUS.
                scene.inChild {
                    Sys.endQuietly(by: SIGBUS)
                    scene.note("beyond", showBytes(map.bytes(5000..<5001)))
                }
                scene.ftruncate(fd, 8192)
                scene.note("again", showBytes(map.bytes(5000..<5010)))
            }
        }
    },

    Case("map-times") { make in
        make.file("f", bytes: Array(repeating: 0x41, count: 4096))
    } body: { scene in
        scene.timeEffects("store and msync", of: ["f"]) {
            scene.opened("f", O_RDWR) { fd in
                scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
                    map.store([1], at: 1)
                    scene.result("msync", map.sync())
                }
            }
        }
    },

    // overlayfs.rst, "Non-standard behavior": a mapping made before the copy-up stays with the lower file.
    Case("map-before-copy-up") { make in
        make.file("f", bytes: Array(repeating: 0x2e, count: 4096))
    } body: { scene in
        scene.opened("f", O_RDONLY) { reader in
            scene.mapped("mmap", reader, 4096, PROT_READ, MAP_SHARED) { map in
                scene.note("before", showBytes(map.bytes(0..<8)))
                scene.opened("f", O_RDWR) { scene.pwrite($0, "changed", 0) }
                scene.note("mapping after write", showBytes(map.bytes(0..<8)))
            }
        }
    },
]

extension Scene {
    func mapped(
        _ what: String, _ fd: Int32, _ length: Int, _ protection: Int32, _ flags: Int32, offset: Int = 0,
        _ body: (borrowing Mapping) -> Void
    ) {
        switch Mapping.make(fd, length, protection, flags, offset: offset) {
        case .mapped(let map):
            note(what, "ok")
            body(map)
        case .failed(let code): note(what, show(code))
        }
    }
}
