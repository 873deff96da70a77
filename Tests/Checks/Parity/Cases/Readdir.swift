import Glibc

/// Reading directories: completeness, numbers and kinds, offsets, changes while reading.
let readdirCases: [Case] = [
    Case("readdir", setup: readdirFixture) { scene in
        scene.list(".")
        scene.list("d")
        scene.list("empty")
        scene.opened("empty", O_RDONLY | O_DIRECTORY) { fd in
            let (result, entries) = Sys.allEntries(fd)
            scene.result("entries of an empty directory", result)
            let dot = entries.first { $0.name == "." }?.ino
            let parent = entries.first { $0.name == ".." }?.ino
            scene.yes("d_ino of .", dot == Sys.status(fd: fd).1.ino)
            scene.yes("d_ino of ..", parent == Sys.status("..", at: fd).1.ino)
            scene.result("getdents, tiny buffer", Sys.entries(fd, buffer: 8).0)
        }
        scene.opened("f", O_RDONLY) { scene.result("getdents of a file", Sys.entries($0).0) }
        scene.result("getdents of nothing", Sys.entries(999).0)
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            scene.result("seek to 0", Sys.seek(fd, 0, SEEK_SET))
            scene.result("seek before 0", Sys.seek(fd, -5, SEEK_SET))
        }
    },

    Case("readdir-offsets") { make in
        make.dir("d")
        for index in 0..<300 { make.file("d/file-\(index)") }
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            let all = readAll(fd, buffer: 512)
            scene.result("entries by small buffers", all.count)
            scene.result("distinct names", Set(all.map(\.name)).count)
            scene.result("distinct offsets", Set(all.map(\.offset)).count)
            // From each offset on, reading goes on with exactly the rest.
            var wrong = 0
            for index in stride(from: 0, to: all.count, by: 7) {
                _ = Sys.seek(fd, all[index].offset, SEEK_SET)
                let rest = continueReading(fd, buffer: 4096)
                if rest.map(\.name) != all.dropFirst(index + 1).map(\.name) { wrong += 1 }
            }
            scene.result("offsets that lead elsewhere", wrong)
            _ = Sys.seek(fd, all[100].offset, SEEK_SET)
            scene.yes("seek answers where it is", Sys.seek(fd, 0, SEEK_CUR) == Int(all[100].offset))
        }
    },

    Case("readdir-changes") { make in
        make.dir("d")
        for index in 0..<200 { make.file("d/old-\(index)") }
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            scene.result("entries", readAll(fd, buffer: 4096).count)
            _ = Sys.open("d/new", O_CREAT | O_WRONLY, 0o600)
            _ = Sys.unlink("d/old-0")
            _ = Sys.rename("d/old-1", "d/renamed")
            // rewinddir(3) must show what has changed.
            let names = Set(readAll(fd, buffer: 4096).map(\.name))
            scene.yes("created is seen", names.contains("new"))
            scene.yes("removed is not", !names.contains("old-0") && !names.contains("old-1"))
            scene.yes("renamed is seen", names.contains("renamed"))
            scene.result("entries", names.count)
        }
        // What is there from begin to end comes exactly once, whatever is created and removed meanwhile.
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            var seen: [Name] = []
            var round = 0
            while true {
                let (result, entries) = Sys.entries(fd, buffer: 600)
                if result <= 0 { break }
                seen += entries.map(\.name)
                Sys.close(Int32(Sys.open("d/extra-\(round)", O_CREAT | O_WRONLY, 0o600)))
                if round > 0 { _ = Sys.unlink("d/extra-\(round - 1)") }
                if round < 20 { _ = Sys.unlink("d/old-\(180 + round)") }
                round += 1
            }
            let stable = (2..<180).map { "old-\($0)" as Name }
            let count = stable.filter { name in seen.count { $0 == name } == 1 }.count
            scene.result("stable names seen once", count)
        }
        // How many rounds there were is the filesystem's own affair.
        for round in 0..<300 { _ = Sys.unlink("d/extra-\(round)") }
        for index in 180..<200 { _ = Sys.unlink("d/old-\(index)") }
    },

    Case("readdir-unlink-while-reading") { make in
        make.dir("d")
        for index in 0..<500 { make.file("d/file-\(index)") }
    } body: { scene in
        // What `rm -r` does: remove what the last call gave, then go on.
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            var removed = 0
            while true {
                let (result, entries) = Sys.entries(fd, buffer: 1024)
                if result <= 0 { break }
                for entry in entries where !entry.isDot && Sys.unlink(entry.name, at: fd) >= 0 { removed += 1 }
            }
            scene.result("removed", removed)
        }
        scene.rmdir("d")
    },

    Case("readdir-10000") { make in
        make.dir("d")
        for index in 0..<10_000 {
            let fd = Sys.open("d/entry-with-a-name-\(index)", O_CREAT | O_WRONLY, 0o600)
            make.must("create", fd)
            Sys.close(Int32(fd))
        }
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { fd in
            let (_, entries) = Sys.allEntries(fd)
            scene.result("entries", entries.count)
            scene.result("distinct", Set(entries.map(\.name)).count)
            scene.result("distinct numbers", Set(entries.filter { !$0.isDot }.map(\.ino)).count)
            scene.result("d_ino is st_ino", entries.count { $0.isDot || Sys.status($0.name, at: fd).1.ino == $0.ino })
            for index in stride(from: 0, to: 10_000, by: 2) { _ = Sys.unlink("entry-with-a-name-\(index)", at: fd) }
            scene.result("entries after removing half", Sys.allEntries(fd).1.count)
        }
        scene.result("removed", removeTree("d"))
    },

    Case("readdir-as-user") { make in
        make.dir("d")
        make.file("d/f", "x", mode: 0)
        make.dir("d/shut", mode: 0)
    } body: { scene in
        scene.asUser(1000) {
            scene.list("d")
            scene.list("d/shut")
        }
    },
]

private func readdirFixture(_ make: Maker) {
    make.dir("empty")
    make.dir("d")
    make.file("d/one")
    make.dir("d/two")
    make.symlink("x", "d/three")
    make.node("d/four", kindFifo | 0o600)
    make.node("d/five", kindSocket | 0o600)
    make.node("d/six", kindCharacter | 0o600, 0x103)
    make.node("d/seven", kindBlock | 0o600, 0x3c00)
    make.link("d/one", "d/eight")
    make.file("f", "x")
}

private func readAll(_ fd: Int32, buffer: Int) -> [Sys.Entry] {
    _ = Sys.seek(fd, 0, SEEK_SET)
    return continueReading(fd, buffer: buffer)
}

private func continueReading(_ fd: Int32, buffer: Int) -> [Sys.Entry] {
    var all: [Sys.Entry] = []
    while true {
        let (result, entries) = Sys.entries(fd, buffer: buffer)
        if result <= 0 { return all }
        all += entries
    }
}
