import Glibc

/// mknod(2), and what fifos, sockets and devices do.
let nodeCases: [Case] = [
    Case("mknod") { make in
        make.file("there", "x")
        make.dir("d")
        make.symlink("gone", "dangling")
    } body: { scene in
        let kinds: [(UInt32, UInt64)] = [
            (kindFifo, 0), (kindSocket, 0), (kindRegular, 0), (0, 0), (kindCharacter, 0x103), (kindCharacter, 0x5),
            (kindBlock, 0x3c00),
            (kindBlock, 0), (kindCharacter, 0xfff_fff0_0fff), (kindDirectory, 0), (kindSymlink, 0), (kindFifo, 0x103),
        ]
        for (index, (kind, device)) in kinds.enumerated() {
            for mode in [0o644, 0o6711, 0] as [UInt32] {
                let name: Name = "n\(index)-\(String(mode, radix: 8))"
                scene.mknod(name, kind | mode, device)
                scene.stat(name)
            }
        }
        for name: Name in ["there", "d", "dangling", "d/", "none/x", "there/x", "slash/", "", "."] {
            scene.mknod(name, kindFifo | 0o600)
        }
        scene.asUser(1000) {
            scene.mknod("user", kindFifo | 0o600)
            scene.mknod("user", kindCharacter | 0o600, 0x103)
        }
        scene.chmod("d", 0o777)
        scene.asUser(1000) {
            scene.mknod("d/fifo", kindFifo | 0o600)
            scene.mknod("d/device", kindCharacter | 0o600, 0x103)
            scene.mknod("d/file", kindRegular | 0o600)
        }
        scene.list("d")
    },

    // A character device 0/0 is a whiteout to overlayfs.
    Case("mknod-whiteout", freshOnly: "what it makes is a whiteout in an upper layer") { scene in
        scene.mknod("w", kindCharacter | 0o600, 0)
        scene.stat("w")
        scene.list(".")
        scene.unlink("w")
    },

    Case("fifo") { make in
        make.node("p", kindFifo | 0o666)
    } body: { scene in
        _ = scene.open("p", O_WRONLY | O_NONBLOCK)
        scene.opened("p", O_RDONLY | O_NONBLOCK) { reader in
            scene.opened("p", O_WRONLY | O_NONBLOCK) { writer in
                scene.read(reader, 10)
                scene.write(writer, "through the fifo")
                scene.read(reader, 100)
                scene.fstat(reader)
                scene.fchmod(reader, 0o600)
            }
            scene.read(reader, 10)
        }
        scene.stat("p")
        scene.timeEffects("chmod of fifo", of: ["p"]) { scene.chmod("p", 0o640) }
    },

    Case("device-null") { make in
        make.node("null", kindCharacter | 0o666, 0x103)
        make.node("none", kindBlock | 0o666, 0x3c01)
    } body: { scene in
        scene.opened("null", O_RDWR) { fd in
            scene.write(fd, "gone")
            scene.read(fd, 10)
            scene.fstat(fd)
            scene.fchmod(fd, 0o600)
        }
        _ = scene.open("none", O_RDONLY)
        scene.stat("null")
        scene.chown("null", 1, 1)
        scene.stat("null")
    },

    Case("socket") { make in
        make.node("unbound", kindSocket | 0o666)
    } body: { scene in
        _ = scene.open("unbound", O_RDWR)
        let server = Sys.bindSocket("bound")
        scene.ok("bind", server)
        scene.stat("bound")
        scene.ok("bind again", Sys.bindSocket("bound"))
        scene.result("connect", Sys.connectSocket("bound"))
        scene.result("connect to unbound", Sys.connectSocket("unbound"))
        scene.result("connect to none", Sys.connectSocket("none"))
        scene.chmod("bound", 0o700)
        scene.rename("bound", "moved")
        scene.result("connect after rename", Sys.connectSocket("moved"))
        scene.link("moved", "linked")
        scene.result("connect through a link", Sys.connectSocket("linked"))
    },
]
