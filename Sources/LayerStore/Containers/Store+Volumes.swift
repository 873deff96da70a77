internal import GRDB
internal import Glibc
public import LinuxSys

public struct StoredVolume: Sendable {
    public let name: String
    public let created: Int64
    /// Names of the containers that have it.
    public let users: [String]
}

extension Store {
    public func volumePath(_ name: String) -> FileName {
        root.appending(component: "volumes").appending(component: FileName(name))
    }

    public func makeVolume(_ name: String, mayExist: Bool = false) throws(StoreError) {
        try StoreName.check(name, "volume")
        let scratch = try StoreScratch(self)
        let made = FileName("volume")
        _ = try scratch.makeDirectory(made)
        try exclusively { () throws(StoreError) in
            let isThere = try database.read { db in
                try Bool.fetchOne(db, sql: "SELECT 1 FROM volume WHERE name = ?", arguments: [name]) ?? false
            }
            if isThere {
                if mayExist { return }
                throw StoreError(.conflict, "there is a volume \"\(name)\" already")
            }
            let volumes = try open(.volumes)
            try told("volume \(name)") { () throws(Errno) in
                try made.withRef { (m) throws(Errno) in
                    try FileName(name).withRef { (n) throws(Errno) in try scratch.fd.rename(m, to: volumes.fd, n) }
                }
            }
            try database.write { db in
                try db.execute(
                    sql: "INSERT INTO volume (name, created) VALUES (?, ?)", arguments: [name, Clock.realtime])
            }
        }
    }

    public func volumes() throws(StoreError) -> [StoredVolume] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM volume ORDER BY name").map { row in
                let users = try String.fetchAll(
                    db,
                    sql:
                        """
                        SELECT container.name FROM container_volume JOIN container ON container.id = \
                        container_id WHERE volume_name = ? ORDER BY 1
                        """,
                    arguments: [row["name"] as String])
                return StoredVolume(name: row["name"], created: row["created"], users: users)
            }
        }
    }

    public func removeVolume(_ name: String) throws(StoreError) {
        try exclusively { () throws(StoreError) in
            try database.write { db in
                let users = try String.fetchAll(
                    db,
                    sql:
                        """
                        SELECT container.name FROM container_volume JOIN container ON container.id = \
                        container_id WHERE volume_name = ?
                        """,
                    arguments: [name])
                if !users.isEmpty {
                    throw StoreError(.conflict, "volume \"\(name)\" is used by \(users.joined(separator: ", "))")
                }
                try db.execute(sql: "DELETE FROM volume WHERE name = ?", arguments: [name])
                if db.changesCount == 0 {
                    throw StoreError(.notFound, "no volume is called \"\(name)\" (unionfsd volume ls)")
                }
            }
            let tmp = try open(.tmp)
            try discard(FileName(name), of: .volumes, into: tmp.fd)
        }
        try sweep()
    }

    public func usage(ofVolume name: String) throws(StoreError) -> DirectoryTree.Usage {
        let path = volumePath(name)
        return try told("volume \(name)") { () throws(Errno) in
            let directory = try FD.currentDirectory.open(path, O_RDONLY | OpenFlags.directory)
            return try DirectoryTree.usage(directory.fd)
        }
    }
}
