import Glibc

/// Names and paths: lengths, bytes, depth.
let nameCases: [Case] = [
    Case("name-bytes") { make in
        for (index, name) in oddNames.enumerated() { make.file(name, "\(index)") }
    } body: { scene in
        scene.list(".")
        for name in oddNames {
            scene.contents(name)
            scene.chmod(name, 0o600)
            scene.rename(name, "moved")
            scene.rename("moved", name)
            scene.link(name, "linked")
            scene.unlink("linked")
            scene.unlink(name)
            scene.mkdir(name)
            scene.mkdir(name.joined(name))
            scene.list(name)
            scene.rmdir(name.joined(name))
            scene.rmdir(name)
            scene.symlink(name, name)
            scene.readlink(name)
        }
        scene.list(".")
    },

    // Names that are markers in OCI layers, and ordinary ones to POSIX.
    Case("name-oci", freshOnly: "names that are markers in layers") { make in
        make.file("victim", "x")
        make.dir("d")
        make.file("d/x", "x")
    } body: { scene in
        for name: Name in [".wh.victim", ".wh.", ".wh..wh..opq", "d/.wh..wh..opq", ".wh..wh..plnk"] {
            _ = scene.open(name, O_CREAT | O_EXCL | O_RDWR, 0o600).map { Sys.close($0) }
            scene.stat(name)
            scene.stat("victim")
            scene.list(".")
            scene.list("d")
            scene.unlink(name)
            scene.mkdir(name)
            scene.rmdir(name)
            scene.symlink("x", name)
            scene.unlink(name)
            scene.rename("victim", name)
            scene.rename(name, "victim")
        }
    },

    Case("name-lengths") { make in
        make.file(.repeating(0x66, 255), "x")
        make.dir(.repeating(0x64, 255))
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        scene.stat(.repeating(0x66, 255))
        scene.chmod(.repeating(0x66, 255), 0o600)
        scene.rename(.repeating(0x64, 255), .repeating(0x65, 255))
        for length in [254, 255, 256, 300, 4095, 4096] {
            let name = Name.repeating(0x6e, length)
            _ = scene.open(name, O_CREAT | O_EXCL | O_RDWR, 0o600).map { Sys.close($0) }
            scene.stat(name)
            scene.rename("f", name)
            scene.rename(name, "f")
            scene.link("f", name)
            scene.unlink(name)
            scene.mkdir(name)
            scene.rmdir(name)
            scene.symlink("x", name)
            scene.readlink(name)
            scene.unlink(name)
            scene.mknod(name, kindFifo | 0o600)
            scene.unlink(name)
            scene.chmod(name, 0o600)
            scene.truncate(name, 0)
            scene.setxattr(name, "user.x", "x")
            scene.access(name, F_OK)
            scene.mkdir(Name("d/".utf8 + name.bytes))
            scene.stat(Name("f/".utf8 + name.bytes))
            scene.stat(Name("none/".utf8 + name.bytes))
        }
        scene.list(".")
    },

    Case("path-lengths") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for length in [4094, 4095, 4096, 5000] {
            // ./././…/f of exactly that length
            let path = Name((0..<(length - 1)).map { ($0 + length) % 2 == 1 ? 0x2e : 0x2f } + [0x66])
            scene.stat(path)
            scene.contents(path)
            scene.chmod(path, 0o600)
        }
    },

    Case("path-deep") { make in
        var down: Int32 = Int32(Sys.open(".", O_RDONLY | O_DIRECTORY))
        for level in 0..<40 {
            let name = deepName(level)
            make.must("mkdir", Sys.mkdir(name, 0o755, at: down))
            let next = Sys.open(name, O_RDONLY | O_DIRECTORY, at: down)
            make.must("open", next)
            Sys.close(down)
            down = Int32(next)
        }
        make.must("file", Sys.open("bottom", O_CREAT | O_WRONLY, 0o600, at: down))
        Sys.close(down)
    } body: { scene in
        // 8000 bytes deep: twice what a path can say.
        let top = Int32(Sys.open(".", O_RDONLY | O_DIRECTORY))
        for level in 0..<40 where Sys.chdir(deepName(level)) < 0 { scene.note("chdir \(level)", "failed") }
        scene.list(".")
        scene.stat("bottom")
        scene.opened("bottom", O_RDWR) { scene.write($0, "deep") }
        scene.mkdir("new")
        scene.rename("bottom", "new/bottom")
        scene.contents("new/bottom")
        scene.link("new/bottom", "link")
        scene.symlink("new/bottom", "s")
        scene.contents("s")
        scene.setxattr("link", "user.deep", "x")
        scene.unlink("link")
        for _ in 0..<40 where Sys.chdir("..") < 0 { scene.note("chdir ..", "failed") }
        scene.yes("back at the top", Sys.status(".").1.ino == Sys.status(fd: top).1.ino)
        scene.stat(deepName(0))
        scene.rename(deepName(0), "renamed")
        scene.result("removed", removeTree("renamed"))
    },

    Case("path-dots") { make in
        make.dir("a")
        make.dir("a/b")
        make.dir("a/b/c")
        make.file("a/f", "x")
        make.symlink("a/b/c", "s")
    } body: { scene in
        for path: Name in [
            "a/..", "a/b/../f", "a/b/c/../../f", "s/..", "s/../../f", "a/./b/.", "a//b///c", "./a/b/..", "a/none/..",
            "a/f/..",
        ] {
            scene.stat(path)
        }
        scene.sameObject("a/b/c/..", "a/b")
        scene.sameObject("s/..", "a/b")
        scene.sameObject("a/..", ".")
        // `..` follows a directory that moves.
        scene.result("chdir", Sys.chdir("a/b/c"))
        scene.rename("../../b/c", "../../c")
        scene.sameObject("..", "../../a")
        scene.contents("../f")
    },

    Case("name-case-and-unicode") { make in
        make.file("Name", "upper")
        make.file("name", "lower")
        // The same letter, composed and decomposed: two names.
        make.file(Name([0xc3, 0xa9]), "NFC")
        make.file(Name([0x65, 0xcc, 0x81]), "NFD")
    } body: { scene in
        for name: Name in ["Name", "name", "NAME", Name([0xc3, 0xa9]), Name([0x65, 0xcc, 0x81])] {
            scene.contents(name)
        }
        scene.unlink("name")
        scene.unlink(Name([0xc3, 0xa9]))
        scene.list(".")
    },
]

private let oddNames: [Name] = [
    " ", "-", "-rf", "*", "...", ".hidden", "..hidden", "a b", "tab\there", "new\nline", "\n", "quote'\"",
    "back\\slash", "$(x)", "a:b", "a,b", "a=b",
    Name([0xff]), Name([0x80, 0x81]), Name([1]), Name([0x7f]), Name([0xc3]), "\u{1F600}", "con", "~", "#work", "index",
    "overlay", "upperdir",
]

private func deepName(_ level: Int) -> Name { Name(Array("\(level)-".utf8) + Array(repeating: 0x64, count: 200)) }
