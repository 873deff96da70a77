internal import Foundation
internal import GRDB
internal import Glibc
public import LinuxSys

public struct StoredContainer: Sendable {
    public let id: String
    public let name: String
    public let image: Digest
    /// What the image was called when the container was made.
    public let imageName: String?
    public let spec: ContainerSpec
    /// What the supervisor is to bring about; what is, only the machine's mount table can say.
    public let isStarted: Bool
    public let restart: RestartPolicy
    public let created: Int64
    public let startedAt: Int64?
    /// Of the writable layer when it was last unmounted.
    public let bytes: Int64?

    /// Where a runtime mounts something, and makes what to mount it on where there is nothing.
    var mountPoints: [String] {
        ["/dev", "/proc", "/sys", "/etc/resolv.conf", "/etc/hosts"] + spec.mounts.map(\.target)
    }

    fileprivate init(_ row: Row) throws {
        id = row["id"]
        name = row["name"]
        guard let image = Digest(row["image_id"] as String) else {
            throw StoreError(.damaged, "a container's image in the store's database")
        }
        self.image = image
        imageName = row["image_name"]
        spec = try JSONDecoder().decode(ContainerSpec.self, from: row["spec"] as Data)
        isStarted = row["started"]
        restart = RestartPolicy(RestartPolicy.Kind(rawValue: row["restart"]) ?? .no, limit: row["restart_limit"])
        created = row["created"]
        startedAt = row["started_at"]
        bytes = row["bytes"]
    }
}

/// Where a container's parts are.
public struct ContainerPlace: Sendable {
    public let home: FileName
    /// The writable layer.
    public var diff: FileName { home.appending(component: "diff") }
    public var work: FileName { home.appending(component: "work") }
    /// The mount point.
    public var merged: FileName { home.appending(component: "merged") }
    /// For an OCI runtime.
    public var bundle: FileName { home.appending(component: "bundle") }
}

extension Store {
    public func place(of container: StoredContainer) -> ContainerPlace { place(of: container.id) }
    public func place(of id: String) -> ContainerPlace {
        ContainerPlace(home: root.appending(component: "containers").appending(component: FileName(id)))
    }

    /// The image's layers as directories, the uppermost first, as a mount takes them.
    public func layerPaths(of image: Digest) throws(StoreError) -> [FileName] {
        let digests = try database.read { db in
            try String.fetchAll(
                db,
                sql:
                    """
                    SELECT diff_id FROM image_layer JOIN layer ON layer.id = layer_id WHERE image_id = ? ORDER \
                    BY position DESC
                    """,
                arguments: [image.description])
        }
        return digests.map { root.appending(component: FileName("layers/\($0.replacing("sha256:", with: ""))/diff")) }
    }

    /// A container with a writable layer of its own, not started.
    /// - Parameter name: nil: it is called by its id.
    public func createContainer(
        image reference: String, name: String?, spec: ContainerSpec, restart: RestartPolicy
    ) throws(StoreError) -> StoredContainer {
        if let name { try StoreName.check(name, "container") }
        let image = try image(reference)
        let id = StoreName.random(digits: 12)
        let scratch = try StoreScratch(self)
        let home = FileName("container")
        let directory = try scratch.makeDirectory(home, mode: 0o700)
        try told("the container") { () throws(Errno) in
            for part in [NameRef("diff"), NameRef("work"), NameRef("merged"), NameRef("bundle")] {
                try directory.fd.makeDirectory(part, mode: 0o755)
            }
        }
        try giveRoot(directory.fd, of: image)
        let document = try Document.bytes(spec)
        let volumes = Set(spec.mounts.filter { $0.kind == .volume }.map(\.source))
        for volume in volumes { try makeVolume(volume, mayExist: true) }
        try exclusively { () throws(StoreError) in
            let containers = try open(.containers)
            try told("the container") { () throws(Errno) in
                try home.withRef { (h) throws(Errno) in
                    try FileName(id).withRef { (n) throws(Errno) in try scratch.fd.rename(h, to: containers.fd, n) }
                }
            }
            do throws(StoreError) {
                try database.write { db in
                    if let name,
                        try Bool.fetchOne(
                            db, sql: "SELECT 1 FROM container WHERE name = ? OR id = ?", arguments: [name, name])
                            == true
                    {
                        throw StoreError(
                            .conflict,
                            """
                            a container is called \"\(name)\" already: remove it (unionfsd rm \(name)), or take \
                            another name
                            """
                        )
                    }
                    try db.execute(
                        sql:
                            """
                            INSERT INTO container (id, name, image_id, image_name, spec, restart, \
                            restart_limit, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                            """,
                        arguments: [
                            id, name ?? id, image.id.description,
                            image.names.first { $0.hasPrefix(reference) } ?? image.names.first, Data(document),
                            restart.kind.rawValue,
                            restart.limit, Clock.realtime,
                        ])
                    for volume in volumes {
                        try db.execute(
                            sql: "INSERT INTO container_volume (container_id, volume_name) VALUES (?, ?)",
                            arguments: [id, volume])
                    }
                }
            } catch {
                let tmp = try open(.tmp)
                try discard(FileName(id), of: .containers, into: tmp.fd)
                throw error
            }
        }
        // So that its first mount need not count.
        let container = try container(id)
        try setBytes(id, try measure(container, isMounted: false).bytes)
        return try self.container(id)
    }

    /// The writable layer's root is what the container sees as its root: as the uppermost layer has it that says
    /// something of it.
    private func giveRoot(_ container: FD, of image: StoredImage) throws(StoreError) {
        var trees: [LayerTree] = []
        for part in image.layers.reversed() {
            guard let layer = try layer(part.digest) else {
                throw StoreError(.conflict, "the image was removed meanwhile")
            }
            if layer.hasRoot { trees.append(try tree(layer.digest)) }
            if !trees.isEmpty { break }
        }
        let diff = try told("the container's root") { () throws(Errno) in
            let diff = try container.openDirectory(NameRef("diff"))
            // Where none does: whatever this process's umask is.
            try diff.fd.changeMode(NameRef.empty, 0o755)
            return diff
        }
        try LayerTree.giveAttributes(".", in: diff.fd, from: trees)
    }

    public func containers() throws(StoreError) -> [StoredContainer] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM container ORDER BY created DESC, name").map(StoredContainer.init)
        }
    }
    /// By name, by id, or by the first digits of that.
    public func container(_ reference: String) throws(StoreError) -> StoredContainer {
        try database.read { db in
            if let row = try Row.fetchOne(
                db, sql: "SELECT * FROM container WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC",
                arguments: [reference])
            {
                return try StoredContainer(row)
            }
            let isDigits =
                !reference.isEmpty && reference.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 }
            let rows =
                isDigits
                ? try Row.fetchAll(
                    db, sql: "SELECT * FROM container WHERE id LIKE ? LIMIT 2", arguments: ["\(reference)%"]) : []
            if rows.count > 1 {
                throw StoreError(
                    .invalid, "\"\(reference)\" is the beginning of several containers' ids: give more of it")
            }
            guard let row = rows.first else {
                throw StoreError(.notFound, "no container is called \"\(reference)\" (unionfsd ps)")
            }
            return try StoredContainer(row)
        }
    }

    public func setStarted(_ id: String, _ started: Bool) throws(StoreError) {
        try database.write { db in
            try db.execute(
                sql: started
                    ? "UPDATE container SET started = 1, started_at = ?, bytes = NULL WHERE id = ?"
                    : "UPDATE container SET started = 0, started_at = NULL WHERE id = ?",
                arguments: started ? [Clock.realtime, id] : [id])
        }
    }
    /// Once nobody writes it any more: until the next start that is what it takes.
    public func setBytes(_ id: String, _ bytes: Int64) throws(StoreError) {
        try database.write { db in
            try db.execute(
                sql: "UPDATE container SET bytes = ? WHERE id = ? AND started = 0 AND bytes IS NULL",
                arguments: [bytes, id])
        }
    }
    /// What the writable layer takes, as du(1) counts: a mount keeps the figure (UpperUsage in UnionFS); without one
    /// the layer is walked.
    /// - Returns: and whether it stays so as long as nobody writes: large files may get another block when their data
    ///   go to the disk.
    public func measure(
        _ container: StoredContainer, isMounted: Bool
    ) throws(StoreError) -> (bytes: Int64, isFinal: Bool) {
        let place = place(of: container)
        if isMounted {
            do throws(Errno) {
                let root = try FD.currentDirectory.open(place.merged, O_RDONLY | OpenFlags.directory)
                let words =
                    try root.fd.xattrIfPresent(NameRef.empty, NameRef("user.unionfsd.usage")).map {
                        String(decoding: $0, as: UTF8.self).split(separator: " ")
                    } ?? []
                if words.count == 2, let bytes = Int64(words[0]) { return (bytes, words[1] == "0") }
            } catch {
                // Of an earlier version, or dead.
            }
        }
        return try told("the writable layer of \(container.name)") { () throws(Errno) in
            let diff = try FD.currentDirectory.open(place.diff, O_RDONLY | OpenFlags.directory)
            return (try DirectoryTree.usage(diff.fd).bytes, !isMounted)
        }
    }

    /// What the container's copies of files with several names take that no name in the writable layer leads to: not a
    /// part of `measure`, which is what a mount keeps and is given.
    public func bytesBeside(_ container: StoredContainer) throws(StoreError) -> Int64 {
        try told("the work directory of \(container.name)") { () throws(Errno) in
            try WritableLayer.bytesBeside(place(of: container).work)
        }
    }

    /// With its writable layer. It must not be mounted.
    public func removeContainer(_ id: String) throws(StoreError) {
        try exclusively { () throws(StoreError) in
            let removed = try database.write { db in
                try db.execute(sql: "DELETE FROM container WHERE id = ? AND started = 0", arguments: [id])
                return db.changesCount
            }
            if removed == 0 { throw StoreError(.conflict, "container \(id) is started, or gone") }
            let tmp = try open(.tmp)
            try discard(FileName(id), of: .containers, into: tmp.fd)
        }
        try sweep()
    }
}
