import Glibc

/// copy_file_range(2), sendfile(2), splice(2).
let transferCases: [Case] = [
    Case("copy-file-range") { make in
        make.file("source", bytes: (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 97) })
        make.file("target", "target")
        make.file("append", "append")
        make.file("empty")
        make.dir("d")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        scene.opened("source", O_RDONLY) { source in
            scene.opened("target", O_RDWR) { target in
                for (from, to, count) in [
                    (0, 0, 100), (1000, 50, 5000), (199_990, 0, 100), (200_000, 0, 10), (300_000, 0, 10),
                    (0, 500_000, 10),
                    (0, 0, 0), (-1, 0, 10), (0, -1, 10),
                ] as [(Int64, Int64, Int)] {
                    scene.result("copy(\(from), \(to), \(count))", Sys.copyRange(source, from, target, to, count))
                    scene.fstat(target)
                }
                scene.contents(of: target)
                scene.result("with positions", Sys.copyRange(source, nil, target, nil, 1000))
                scene.seek(source, 0, SEEK_CUR)
                scene.seek(target, 0, SEEK_CUR)
                scene.result("flags", Sys.copyRange(source, 0, target, 0, 10, flags: 1))
                scene.result("from a writer", Sys.copyRange(target, 0, target, 1_000_000, 100))
                scene.result("overlapping", Sys.copyRange(target, 0, target, 50, 100))
                var all = 0
                while true {
                    let result = Sys.copyRange(source, Int64(all), target, Int64(all), 200_000)
                    if result <= 0 { break }
                    all += result
                }
                scene.result("everything", all)
                scene.contents(of: target)
            }
            scene.opened("target", O_RDONLY) { scene.result("to a reader", Sys.copyRange(source, 0, $0, 0, 10)) }
            scene.opened("append", O_WRONLY | O_APPEND) {
                scene.result("to an appender", Sys.copyRange(source, 0, $0, 0, 10))
            }
            scene.opened("d", O_RDONLY) { scene.result("to a directory", Sys.copyRange(source, 0, $0, 0, 10)) }
            scene.opened("p", O_RDWR) { scene.result("to a fifo", Sys.copyRange(source, 0, $0, nil, 10)) }
        }
        scene.opened("empty", O_RDONLY) { source in
            scene.opened("target", O_RDWR) { scene.result("from an empty file", Sys.copyRange(source, 0, $0, 0, 10)) }
        }
        scene.opened("source", O_WRONLY) { source in
            scene.opened("target", O_RDWR) {
                scene.result("from a write-only descriptor", Sys.copyRange(source, 0, $0, 0, 10))
            }
        }
    },

    Case("copy-clears-setid") { make in
        make.file("source", "source")
        make.file("target", "target", mode: 0o6777)
    } body: { scene in
        scene.asUser(1000) {
            scene.opened("source", O_RDONLY) { source in
                scene.opened("target", O_RDWR) { scene.result("copy", Sys.copyRange(source, 0, $0, 0, 3)) }
            }
        }
        scene.stat("target")
        scene.contents("target")
    },

    Case("sendfile") { make in
        make.file("source", bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 89) })
        make.file("target", "target")
    } body: { scene in
        scene.opened("source", O_RDONLY) { source in
            scene.opened("target", O_RDWR) { target in
                scene.result("with offset", Sys.sendfile(to: target, from: source, at: 1000, 500))
                scene.seek(source, 0, SEEK_CUR)
                scene.result("with position", Sys.sendfile(to: target, from: source, at: nil, 50_000))
                scene.seek(source, 0, SEEK_CUR)
                scene.seek(target, 0, SEEK_CUR)
                scene.result("beyond the end", Sys.sendfile(to: target, from: source, at: 100_000, 10))
                scene.result("negative", Sys.sendfile(to: target, from: source, at: -1, 10))
                scene.contents(of: target)
            }
            scene.opened("target", O_RDWR | O_APPEND) {
                scene.result("to an appender", Sys.sendfile(to: $0, from: source, at: 0, 10))
            }
            scene.opened("target", O_RDONLY) {
                scene.result("to a reader", Sys.sendfile(to: $0, from: source, at: 0, 10))
            }
        }
    },

    Case("splice") { make in
        make.file("source", bytes: (0..<50_000).map { UInt8(truncatingIfNeeded: $0 / 83) })
        make.file("target", "target")
    } body: { scene in
        let pipe = Sys.pipe()
        scene.opened("source", O_RDONLY) { source in
            scene.opened("target", O_RDWR) { target in
                var moved = 0
                while moved < 50_000 {
                    let into = Sys.splice(source, pipe.write, min(16384, 50_000 - moved))
                    guard into > 0 else {
                        scene.result("splice from the file", into)
                        break
                    }
                    var out = 0
                    while out < into {
                        let result = Sys.splice(pipe.read, target, into - out)
                        guard result > 0 else {
                            scene.result("splice to the file", result)
                            break
                        }
                        out += result
                    }
                    guard out == into else { break }
                    moved += out
                }
                scene.result("moved", moved)
                scene.result("at the end", Sys.splice(source, pipe.write, 10))
                scene.contents(of: target)
                scene.result("file to file", Sys.splice(source, target, 10))
            }
        }
    },

    Case("clone", freshOnly: "what it answers depends on the filesystem below") { make in
        make.file("source", bytes: Array(repeating: 0x41, count: 8192))
        make.file("target", "x")
    } body: { scene in
        scene.opened("source", O_RDONLY) { source in
            scene.opened("target", O_RDWR) { scene.result("FICLONE", Sys.clone($0, source)) }
        }
        scene.contents("target")
    },
]
