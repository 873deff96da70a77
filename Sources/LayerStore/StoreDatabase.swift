internal import Foundation
internal import GRDB
internal import LinuxSys

/// The store's metadata: images, layers, containers and volumes, and what refers to what. SQLite in WAL mode: each
/// change is a transaction that is there whole or not at all, whatever dies when; several processes read and write at
/// once.
struct StoreDatabase: Sendable {
    private let queue: DatabaseQueue

    /// - Parameter alone: runs something while no other process is at the store: two must not make its tables at once.
    init(path: String, alone: (() throws -> Void) throws -> Void) throws(StoreError) {
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.journalMode = .wal
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
        do {
            var made: DatabaseQueue?
            try alone {
                let queue = try DatabaseQueue(path: path, configuration: configuration)
                let migrator = StoreDatabase.migrator
                if try queue.read(migrator.hasBeenSuperseded) {
                    throw StoreError(
                        .invalid,
                        "the store was written by a later version of unionfsd, which this one must not touch: \(path)")
                }
                if try queue.read({ try !migrator.hasCompletedMigrations($0) }) { try migrator.migrate(queue) }
                made = queue
            }
            guard let made else { throw StoreError(.system, "the store's database cannot be opened: \(path)") }
            queue = made
        } catch let error as StoreError { throw error } catch { throw StoreDatabase.failure(error) }
    }

    func read<R>(_ body: (Database) throws -> R) throws(StoreError) -> R {
        do { return try queue.read(body) } catch let error as StoreError { throw error } catch {
            throw StoreDatabase.failure(error)
        }
    }
    /// One transaction.
    func write<R>(_ body: (Database) throws -> R) throws(StoreError) -> R {
        do { return try queue.write(body) } catch let error as StoreError { throw error } catch {
            throw StoreDatabase.failure(error)
        }
    }

    private static func failure(_ error: any Error) -> StoreError {
        guard let error = error as? DatabaseError else { return StoreError(.system, "the store's database: \(error)") }
        if error.resultCode == .SQLITE_CONSTRAINT {
            return StoreError(.conflict, "the store's database refuses it: \(error.message ?? "constraint")")
        }
        if error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB {
            return StoreError(.damaged, "the store's database is damaged: \(error.message ?? "")")
        }
        return StoreError(.system, "the store's database: \(error.message ?? error.resultCode.description)")
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE layer (
                        id INTEGER PRIMARY KEY,
                        -- sha256 of the uncompressed archive: its directory's name
                        diff_id TEXT NOT NULL UNIQUE,
                        -- what du(1) says
                        bytes INTEGER NOT NULL,
                        files INTEGER NOT NULL,
                        archive_bytes INTEGER NOT NULL,
                        -- whether the archive can be made again byte for byte
                        exact INTEGER NOT NULL,
                        created INTEGER NOT NULL);
                    CREATE TABLE image (
                        -- sha256 of the configuration
                        id TEXT PRIMARY KEY NOT NULL,
                        config BLOB NOT NULL,
                        -- as the image came; NULL where it came without
                        manifest_digest TEXT,
                        created INTEGER NOT NULL) WITHOUT ROWID;
                    CREATE TABLE image_layer (
                        image_id TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,
                        -- the lowest is 0
                        position INTEGER NOT NULL,
                        layer_id INTEGER NOT NULL REFERENCES layer(id) ON DELETE RESTRICT,
                        PRIMARY KEY (image_id, position)) WITHOUT ROWID;
                    CREATE INDEX image_layer_layer ON image_layer(layer_id);
                    CREATE TABLE image_name (
                        name TEXT PRIMARY KEY NOT NULL,
                        image_id TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE) WITHOUT ROWID;
                    CREATE INDEX image_name_image ON image_name(image_id);
                    CREATE TABLE container (
                        id TEXT PRIMARY KEY NOT NULL,
                        name TEXT NOT NULL UNIQUE,
                        image_id TEXT NOT NULL REFERENCES image(id) ON DELETE RESTRICT,
                        image_name TEXT,
                        -- JSON: what it runs and what is mounted into it
                        spec BLOB NOT NULL,
                        -- what the supervisor is to bring about: 1 mounted
                        started INTEGER NOT NULL DEFAULT 0,
                        -- no, on-failure or always; and how often in a row
                        restart TEXT NOT NULL,
                        restart_limit INTEGER,
                        created INTEGER NOT NULL,
                        started_at INTEGER,
                        -- of the writable layer when it was last unmounted; NULL: not known
                        bytes INTEGER) WITHOUT ROWID;
                    CREATE INDEX container_image ON container(image_id);
                    CREATE TABLE volume (
                        name TEXT PRIMARY KEY NOT NULL,
                        created INTEGER NOT NULL) WITHOUT ROWID;
                    CREATE TABLE container_volume (
                        container_id TEXT NOT NULL REFERENCES container(id) ON DELETE CASCADE,
                        volume_name TEXT NOT NULL REFERENCES volume(name) ON DELETE RESTRICT,
                        PRIMARY KEY (container_id, volume_name)) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2") { db in
            // Whether the archive has an entry for the root. Of layers that are there already nobody knows, and what is
            // on the disk is taken for it.
            try db.execute(sql: "ALTER TABLE layer ADD COLUMN has_root INTEGER NOT NULL DEFAULT 1")
        }
        return migrator
    }
}
