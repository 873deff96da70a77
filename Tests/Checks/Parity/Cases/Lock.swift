import Glibc

/// flock(2), fcntl(2) locks of processes and of open file descriptions, between two processes.
let lockCases: [Case] = [
    Case("lock-flock") { make in
        make.file("f", "x")
    } body: { scene in
        guard let own = scene.open("f", O_RDWR), let second = scene.open("f", O_RDONLY) else { return }
        scene.result("exclusive", Sys.flock(own, LOCK_EX))
        scene.result("second descriptor, exclusive", Sys.flock(second, LOCK_EX | LOCK_NB))
        scene.result("second descriptor, shared", Sys.flock(second, LOCK_SH | LOCK_NB))
        scene.result("downgrade", Sys.flock(own, LOCK_SH | LOCK_NB))
        scene.result("second descriptor, shared", Sys.flock(second, LOCK_SH | LOCK_NB))
        scene.result("upgrade", Sys.flock(own, LOCK_EX | LOCK_NB))
        scene.result("unlock", Sys.flock(second, LOCK_UN))
        scene.result("upgrade", Sys.flock(own, LOCK_EX | LOCK_NB))
        scene.inChild {
            // Inherited: the same lock. Opened anew: another.
            scene.result("child, inherited", Sys.flock(own, LOCK_EX | LOCK_NB))
            scene.opened("f", O_RDWR) { scene.result("child, own", Sys.flock($0, LOCK_EX | LOCK_NB)) }
        }
        Sys.close(own)
        scene.result("after close", Sys.flock(second, LOCK_EX | LOCK_NB))
        scene.result("nonsense", Sys.flock(second, 99))
        scene.result("of nothing", Sys.flock(999, LOCK_EX))
    },

    Case("lock-flock-blocking") { make in
        make.file("f", "x")
    } body: { scene in
        guard let fd = scene.open("f", O_RDWR) else { return }
        Turns.run(scene) { turns in
            scene.result("parent locks", Sys.flock(fd, LOCK_EX))
            turns.other()
            scene.result("parent unlocks", Sys.flock(fd, LOCK_UN))
            turns.other()
            scene.result("parent is refused", Sys.flock(fd, LOCK_EX | LOCK_NB))
            turns.other()
            scene.result("parent locks after the child has gone", Sys.flock(fd, LOCK_EX))
        } child: { turns in
            guard let mine = scene.open("f", O_RDWR) else { return }
            Sys.alarm(milliseconds: 200)
            scene.result("child waits", Sys.flock(mine, LOCK_EX))
            turns.other()
            scene.result("child locks", Sys.flock(mine, LOCK_EX))
            turns.other()
            exit(0)
        }
    },

    Case("lock-fcntl") { make in
        make.file("f", "0123456789")
    } body: { scene in
        guard let fd = scene.open("f", O_RDWR), let reader = scene.open("f", O_RDONLY) else { return }
        func lock(_ what: String, _ fd: Int32, _ command: Int32, _ type: Int32, _ start: Int = 0, _ length: Int = 0) {
            let (result, found) = Sys.lock(fd, command, type, start: start, length: length)
            scene.note(what, command == F_GETLK && result >= 0 ? "found \(found)" : show(result))
        }
        lock("write lock on a read descriptor", reader, F_SETLK, Int32(F_WRLCK))
        lock("negative start", fd, F_SETLK, Int32(F_WRLCK), -1, 1)
        Turns.run(scene) { turns in
            lock("parent, write 0-9", fd, F_SETLK, Int32(F_WRLCK), 0, 10)
            lock("parent, read 20-29", fd, F_SETLK, Int32(F_RDLCK), 20, 10)
            turns.other()
            lock("parent unlocks 3-5", fd, F_SETLK, Int32(F_UNLCK), 3, 3)
            turns.other()
            lock("parent tests 3", fd, F_GETLK, Int32(F_WRLCK), 3, 1)
            lock("parent tests 100", fd, F_GETLK, Int32(F_WRLCK), 100, 1)
            // Closing any descriptor of the file gives up all of the process' locks.
            Sys.close(reader)
            turns.other()
        } child: { turns in
            lock("child tests 0-100", fd, F_GETLK, Int32(F_WRLCK), 0, 100)
            lock("child tests 15", fd, F_GETLK, Int32(F_WRLCK), 15, 1)
            lock("child, write 5", fd, F_SETLK, Int32(F_WRLCK), 5, 1)
            lock("child, read 25", fd, F_SETLK, Int32(F_RDLCK), 25, 1)
            lock("child, write 25", fd, F_SETLK, Int32(F_WRLCK), 25, 1)
            turns.other()
            lock("child, write 3-5", fd, F_SETLK, Int32(F_WRLCK), 3, 3)
            lock("child, write 3-6", fd, F_SETLK, Int32(F_WRLCK), 3, 4)
            turns.other()
            lock("child, write all", fd, F_SETLK, Int32(F_WRLCK))
        }
    },

    Case("lock-fcntl-blocking") { make in
        make.file("f", "0123456789")
    } body: { scene in
        guard let fd = scene.open("f", O_RDWR) else { return }
        Turns.run(scene) { turns in
            scene.result("parent locks", Sys.lock(fd, F_SETLK, Int32(F_WRLCK)).0)
            turns.other()
            // The child waits now; it gets the lock as soon as it is given up.
            turns.hand()
            Sys.sleep(milliseconds: 100)
            scene.result("parent unlocks", Sys.lock(fd, F_SETLK, Int32(F_UNLCK)).0)
            turns.wait()
        } child: { turns in
            Sys.alarm(milliseconds: 200)
            scene.result("child waits, until the alarm", Sys.lock(fd, F_SETLKW, Int32(F_WRLCK)).0)
            turns.other()
            // Its line comes after the parent's: it is written when the lock is got.
            let result = Sys.lock(fd, F_SETLKW, Int32(F_WRLCK)).0
            Sys.sleep(milliseconds: 50)
            scene.result("child waits, and gets it", result)
        }
    },

    Case("lock-deadlock") { make in
        make.file("f", "0123456789")
    } body: { scene in
        guard let fd = scene.open("f", O_RDWR) else { return }
        Turns.run(scene) { turns in
            scene.result("parent locks 0", Sys.lock(fd, F_SETLK, Int32(F_WRLCK), start: 0, length: 1).0)
            turns.other()
            turns.hand()
            Sys.sleep(milliseconds: 100)
            Sys.alarm(milliseconds: 3000)
            scene.result(
                "parent wants 1, which the child has", Sys.lock(fd, F_SETLKW, Int32(F_WRLCK), start: 1, length: 1).0)
            scene.result("parent unlocks 0", Sys.lock(fd, F_SETLK, Int32(F_UNLCK), start: 0, length: 1).0)
            turns.wait()
        } child: { turns in
            scene.result("child locks 1", Sys.lock(fd, F_SETLK, Int32(F_WRLCK), start: 1, length: 1).0)
            turns.other()
            let result = Sys.lock(fd, F_SETLKW, Int32(F_WRLCK), start: 0, length: 1).0
            Sys.sleep(milliseconds: 50)
            scene.result("child gets 0", result)
        }
    },

    Case("lock-ofd") { make in
        make.file("f", "0123456789")
    } body: { scene in
        guard let a = scene.open("f", O_RDWR), let b = scene.open("f", O_RDWR) else { return }
        scene.result("first", Sys.lock(a, F_OFD_SETLK, Int32(F_WRLCK), start: 0, length: 5).0)
        scene.result("second, overlapping", Sys.lock(b, F_OFD_SETLK, Int32(F_WRLCK), start: 4, length: 5).0)
        scene.result("second, beside", Sys.lock(b, F_OFD_SETLK, Int32(F_WRLCK), start: 5, length: 5).0)
        scene.note("test", "\(Sys.lock(a, F_OFD_GETLK, Int32(F_RDLCK), start: 5, length: 1).1)")
        scene.result("process lock against it", Sys.lock(a, F_SETLK, Int32(F_WRLCK), start: 6, length: 1).0)
        Sys.close(b)
        scene.result(
            "first, after close of the second", Sys.lock(a, F_OFD_SETLK, Int32(F_WRLCK), start: 0, length: 0).0)
    },

    // The lock belongs to the object, whichever layer its data come from.
    Case("lock-and-change") { make in
        make.file("f", "0123456789")
        make.link("f", "g")
    } body: { scene in
        guard let reader = scene.open("f", O_RDONLY) else { return }
        scene.result("shared", Sys.flock(reader, LOCK_SH | LOCK_NB))
        scene.result("read lock", Sys.lock(reader, F_SETLK, Int32(F_RDLCK)).0)
        scene.opened("g", O_RDWR) { writer in
            scene.write(writer, "changed")
            scene.result("exclusive through the other name", Sys.flock(writer, LOCK_EX | LOCK_NB))
            scene.inChild { scene.result("write lock of a child", Sys.lock(writer, F_SETLK, Int32(F_WRLCK)).0) }
        }
        scene.rename("f", "h")
        scene.opened("h", O_RDWR) { writer in
            scene.result("exclusive after rename", Sys.flock(writer, LOCK_EX | LOCK_NB))
            Sys.close(reader)
            scene.result("exclusive after close", Sys.flock(writer, LOCK_EX | LOCK_NB))
        }
    },

    Case("lock-directory") { make in
        make.dir("d")
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { a in
            scene.opened("d", O_RDONLY | O_DIRECTORY) { b in
                scene.result("flock", Sys.flock(a, LOCK_EX | LOCK_NB))
                scene.result("flock of the second", Sys.flock(b, LOCK_EX | LOCK_NB))
                scene.result("fcntl read", Sys.lock(a, F_SETLK, Int32(F_RDLCK)).0)
                scene.result("fcntl write", Sys.lock(a, F_SETLK, Int32(F_WRLCK)).0)
            }
        }
    },
]
