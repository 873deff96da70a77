import Glibc

/// mkdir(2), rmdir(2), unlink(2) of what is and is not a directory.
let directoryCases: [Case] = [
    Case("mkdir") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("d", "sd")
        make.symlink("gone", "dangling")
    } body: { scene in
        for name: Name in [
            "new", "new", "slash/", "f", "d", "d/", "d/.", "d/..", "sd", "dangling", "f/x", "gone/x", ".",
            "..", "/", "", "d/inner", "sd/through", "deep/er",
        ] {
            scene.mkdir(name)
        }
        for mode in [0, 0o700, 0o777, 0o1777, 0o2755, 0o4755, 0o7777] as [UInt32] {
            scene.mkdir("mode-\(String(mode, radix: 8))", mode)
            scene.stat("mode-\(String(mode, radix: 8))")
        }
        scene.timeEffects("mkdir", of: [".", "d"]) { scene.mkdir("d/times") }
        scene.list("d")
    },

    Case("rmdir") { make in
        make.dir("empty")
        make.dir("full")
        make.file("full/f", "x")
        make.dir("slash")
        make.dir("dot")
        make.dir("open")
        make.file("f", "x")
        make.symlink("empty", "s")
        make.dir("times")
        make.dir("times/inner")
        make.dir("cwd")
    } body: { scene in
        for name: Name in [
            "full", "full/", "f", "f/", "s", "s/", "none", "none/x", "f/x", "dot/.", "dot/..", ".", "..", "",
            "/", "empty", "empty", "slash/",
        ] {
            scene.rmdir(name)
        }
        scene.timeEffects("rmdir", of: ["times"]) { scene.rmdir("times/inner") }
        // A directory that is open stays, without name and without a way to fill it.
        scene.opened("open", O_RDONLY | O_DIRECTORY) { fd in
            scene.rmdir("open")
            let (result, entries) = Sys.allEntries(fd)
            scene.result("entries of a removed directory", result < 0 ? result : entries.count)
            scene.ok("create in a removed directory", Sys.open("x", O_CREAT | O_RDWR, 0o600, at: fd))
            scene.result("mkdir in a removed directory", Sys.mkdir("x", 0o700, at: fd))
            scene.result("fchmod of a removed directory", Sys.fchmod(fd, 0o700))
        }
        scene.result("chdir", Sys.chdir("cwd"))
        scene.result("rmdir of the current directory", Sys.rmdir("../cwd"))
        scene.ok("open in it", Sys.open("x", O_CREAT | O_RDWR, 0o600))
        scene.ok("open of it", Sys.open(".", O_RDONLY))
    },

    Case("unlink") { make in
        for name in ["f", "slash", "times"] { make.file(Name(name.utf8), "x") }
        make.dir("d")
        make.file("d/inner", "x")
        make.link("times", "times2")
        make.symlink("d", "sd")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
        make.node("sock", kindSocket | 0o600)
        make.node("null", kindCharacter | 0o600, 0x103)
    } body: { scene in
        for name: Name in [
            "d", "d/", ".", "..", "", "none", "none/x", "slash/", "slash/x", "sd/", "sd", "dangling", "p", "sock",
            "null", "f", "f",
        ] {
            scene.unlink(name)
        }
        scene.timeEffects("unlink of one of two names", of: ["times2", "."]) { scene.unlink("times") }
        scene.stat("times2")
        scene.list(".")
    },

    Case("rmdir-refill") { make in
        make.dir("d")
        make.file("d/a", "old a")
        make.dir("d/sub")
        make.file("d/sub/b", "old b")
    } body: { scene in
        scene.rmdir("d")
        scene.result("rm -rf d", removeTree("d"))
        scene.stat("d")
        scene.mkdir("d", 0o700)
        // Nothing of the former contents may show through.
        scene.list("d")
        scene.stat("d/a")
        scene.stat("d/sub")
        scene.mkdir("d/sub")
        scene.list("d/sub")
        scene.opened("d/a", O_CREAT | O_EXCL | O_WRONLY, 0o600) { scene.write($0, "new") }
        scene.contents("d/a")
        scene.rmdir("d/sub")
        scene.unlink("d/a")
        scene.rmdir("d")
        scene.list(".")
    },

    Case("replace-kinds") { make in
        make.file("x1", "file")
        make.dir("x2")
        make.file("x2/inner", "inner")
        make.symlink("x1", "x3")
        make.node("x4", kindFifo | 0o600)
    } body: { scene in
        // Each name becomes every other kind in turn.
        for name: Name in ["x1", "x2", "x3", "x4"] {
            for kind in 0..<5 {
                scene.result("remove \(name)", removeTree(name))
                switch kind {
                case 0: scene.mkdir(name)
                case 1: _ = scene.open(name, O_CREAT | O_EXCL | O_RDWR, 0o600).map { Sys.close($0) }
                case 2: scene.symlink("target", name)
                case 3: scene.mknod(name, kindSocket | 0o600)
                default:
                    scene.mkdir(name)
                    scene.opened(name.joined("inner"), O_CREAT | O_RDWR, 0o600) { scene.write($0, "new") }
                }
                scene.stat(name)
                scene.stat(name.joined("inner"))
                scene.list(".")
            }
        }
    },

    Case("directory-descriptor") { make in
        make.dir("d")
        make.file("d/f", "x")
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            scene.rename("d", "e")
            scene.result("mkdirat after rename", Sys.mkdir("new", 0o755, at: fd))
            let (result, status) = Sys.status("f", at: fd)
            scene.note("fstatat after rename", result < 0 ? show(result) : scene.describe(status))
            scene.list(of: fd, "d as e")
            scene.result("unlinkat", Sys.unlink("f", at: fd))
            scene.result("fchmod", Sys.fchmod(fd, 0o711))
            scene.result("fsync", Sys.fsync(fd))
        }
        scene.stat("e")
        scene.list("e")
    },
]
