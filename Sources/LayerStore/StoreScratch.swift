internal import Glibc
internal import LinuxSys

/// A directory in `tmp` for something that is being made. It goes with this object, and a lock tells a sweep that it is
/// no leftover.
final class StoreScratch {
    let name: FileName
    private let parent: OwnedFD
    private let directory: OwnedFD
    private let lock: OwnedFD
    var fd: FD { directory.fd }

    init(_ store: Store) throws(StoreError) {
        let parent = try store.open(.tmp)
        let name = FileName(StoreName.random())
        // With the store's lock, so that no sweep comes between the directory and its lock.
        let made = try store.exclusively { () throws(StoreError) in
            try told("the store's tmp") { () throws(Errno) in
                try name.withRef { (n) throws(Errno) in try parent.fd.makeDirectory(n, mode: 0o700) }
                let directory = try name.withRef { (n) throws(Errno) in try parent.fd.openDirectory(n) }
                let lock = try directory.fd.open(FileName("lock"), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                try lock.fd.lockExclusively()
                return Pair(directory: directory.release(), lock: lock.release())
            }
        }
        directory = OwnedFD(adopting: made.directory.raw)
        lock = OwnedFD(adopting: made.lock.raw)
        self.name = name
        self.parent = parent
    }
    private struct Pair {
        let directory: FD, lock: FD
    }

    func makeDirectory(_ name: FileName, mode: UInt32 = 0o755) throws(StoreError) -> OwnedFD {
        try told("the store's tmp") { () throws(Errno) in
            try name.withRef { (n) throws(Errno) in
                try fd.makeDirectory(n, mode: mode)
                return try fd.openDirectory(n)
            }
        }
    }
    func makeFile(_ name: FileName) throws(StoreError) -> OwnedFD {
        try told("the store's tmp") { () throws(Errno) in
            try fd.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
    }

    deinit {
        do throws(Errno) { try DirectoryTree.remove(name, in: parent.fd) } catch {
            // The next sweep will.
        }
    }
}

enum StoreName {
    /// 16 hexadecimal digits.
    static func random(digits: Int = 16) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<digits).map { _ in String(UInt8.random(in: 0...15, using: &generator), radix: 16) }.joined()
    }
    /// What a container or a volume may be called: it becomes a file's name.
    static func check(_ name: String, _ what: String) throws(StoreError) {
        let bytes = Array(name.utf8)
        func isPlain(_ b: UInt8) -> Bool { b >= 0x30 && b <= 0x39 || b >= 0x41 && b <= 0x5a || b >= 0x61 && b <= 0x7a }
        guard let first = bytes.first, bytes.count <= 128, isPlain(first),
            bytes.allSatisfy({ isPlain($0) || $0 == 0x5f || $0 == 0x2e || $0 == 0x2d })
        else {
            throw StoreError(
                .invalid,
                "\"\(name)\" is no name for a \(what): letters, digits, and behind the first of them also _ . -")
        }
    }
}
