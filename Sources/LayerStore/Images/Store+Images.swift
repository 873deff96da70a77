internal import Foundation
internal import GRDB
internal import LinuxSys

public struct StoredImage: Sendable {
    public let id: Digest
    public let names: [String]
    public let created: Int64
    public let configBytes: [UInt8]
    /// As the image came; nil where it came without a manifest.
    public let manifest: Digest?
    /// The lowest first.
    public let layers: [Layer]
    public var config: ImageConfig { get throws(StoreError) { try ImageConfig(bytes: configBytes) } }
    /// What all its layers take on the disk.
    public var bytes: Int64 { layers.reduce(0) { $0 + $1.bytes } }

    public struct Layer: Sendable {
        public let digest: Digest
        public let bytes: Int64
        public let files: Int64
        /// Of its uncompressed archive.
        public let archiveBytes: Int64
        /// Images that have it.
        public let images: Int
    }
}

extension Store {
    public func images() throws(StoreError) -> [StoredImage] {
        try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM image ORDER BY created DESC, id").map { try Store.image($0, db) }
        }
    }

    private static func image(_ row: Row, _ db: Database) throws -> StoredImage {
        let text: String = row["id"]
        guard let id = Digest(text) else { throw StoreError(.damaged, "an image's digest in the store's database") }
        let names = try String.fetchAll(
            db, sql: "SELECT name FROM image_name WHERE image_id = ? ORDER BY name", arguments: [text])
        let layers = try Row.fetchAll(
            db,
            sql: """
                SELECT l.*, (SELECT COUNT(DISTINCT image_id) FROM image_layer o WHERE o.layer_id = l.id) AS images
                FROM image_layer i JOIN layer l ON l.id = i.layer_id WHERE i.image_id = ? ORDER BY i.position
                """, arguments: [text])
        return StoredImage(
            id: id, names: names, created: row["created"], configBytes: Array(row["config"] as Data),
            manifest: (row["manifest_digest"] as String?).flatMap { Digest($0) },
            layers: try layers.map { layer in
                StoredImage.Layer(
                    digest: try StoredLayer(layer).digest, bytes: layer["bytes"], files: layer["files"],
                    archiveBytes: layer["archive_bytes"], images: layer["images"])
            })
    }

    /// By name, by digest, or by the first digits of that.
    public func image(_ reference: String) throws(StoreError) -> StoredImage {
        try database.read { db in
            guard let row = try Store.row(reference, db) else {
                throw StoreError(.notFound, "no image is called \"\(reference)\" (unionfsd image ls)")
            }
            return try Store.image(row, db)
        }
    }
    private static func row(_ reference: String, _ db: Database) throws -> Row? {
        if let name = try? ImageName(reference) {
            for candidate in name.candidates {
                if let row = try Row.fetchOne(
                    db, sql: "SELECT image.* FROM image JOIN image_name ON image_id = id WHERE name = ?",
                    arguments: [candidate])
                {
                    return row
                }
            }
        }
        let digits = reference.replacing("sha256:", with: "")
        guard digits.utf8.count >= 4, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 })
        else { return nil }
        let rows = try Row.fetchAll(
            db, sql: "SELECT * FROM image WHERE id LIKE ? LIMIT 2", arguments: ["sha256:\(digits)%"])
        if rows.count > 1 {
            throw StoreError(.invalid, "\"\(reference)\" is the beginning of several images' digests: give more of it")
        }
        return rows.first
    }

    /// What `removeImage` did.
    public struct Removal: Sendable {
        public let untagged: [String]
        public let image: Digest?
    }

    /// A name alone goes as long as the image has others; with the last of them, or by its digest, the image goes, and
    /// its layers that no other has.
    /// - Parameter force: all of its names at once.
    public func removeImage(_ reference: String, force: Bool) throws(StoreError) -> Removal {
        let removal = try database.write { db -> Removal in
            guard let row = try Store.row(reference, db) else {
                throw StoreError(.notFound, "no image is called \"\(reference)\" (unionfsd image ls)")
            }
            let image = try Store.image(row, db)
            let byName = (try? ImageName(reference))?.candidates.first { image.names.contains($0) }
            if let byName, image.names.count > 1, !force {
                try db.execute(sql: "DELETE FROM image_name WHERE name = ?", arguments: [byName])
                return Removal(untagged: [byName], image: nil)
            }
            if byName == nil, image.names.count > 1, !force {
                throw StoreError(
                    .conflict,
                    """
                    the image has several names: \(image.names.joined(separator: ", ")); remove them one by \
                    one, or all of it with --force
                    """
                )
            }
            let users = try String.fetchAll(
                db, sql: "SELECT name FROM container WHERE image_id = ? ORDER BY name",
                arguments: [image.id.description])
            if !users.isEmpty {
                throw StoreError(
                    .conflict,
                    """
                    the image is used by \(users.count == 1 ? "container" : "containers") \
                    \(users.joined(separator: ", ")): remove \(users.count == 1 ? "it" : "them") first
                    """
                )
            }
            try db.execute(sql: "DELETE FROM image WHERE id = ?", arguments: [image.id.description])
            return Removal(untagged: image.names, image: image.id)
        }
        try sweep()
        return removal
    }
}
