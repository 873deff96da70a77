internal import LinuxSys
internal import MountState
internal import UnionCore
internal import UnionFS

/// What a program leaves to the one that takes its place behind the same mount: descriptors, by their numbers, and what
/// the mount is called. Written once, into a memory file that stays open over execve(2); the command line behind it is
/// the mount's own.
struct Succession {
    /// Of the records (`UnionMemory.format`).
    var format: String
    var memory: FD
    var address: UInt
    var device: FD
    var layers: HeldLayers
    var claim: (upper: FD, work: FD, isSole: Bool)?
    var lock: FD
    var id: FileName
    var record: MountRecord

    private static let takes = "--take-over=", checks = "--can-take-over="

    /// The words that make this program's successor, for `file`.
    static func words(_ file: FD, checksOnly: Bool) -> [FileName] {
        let own = Process.arguments
        return Array(own.prefix(1) + [FileName((checksOnly ? checks : takes) + "\(file.raw)")] + rest(own))
    }
    /// The mount's words, without the first and without what `words` puts behind it.
    private static func rest(_ words: [FileName]) -> ArraySlice<FileName> {
        words.dropFirst(asked(words) == nil ? 1 : 2)
    }

    /// Whether a program was started to take the place of another, and the words of the mount then.
    static func asked(_ words: [FileName]) -> (file: FD, checksOnly: Bool, words: [FileName])? {
        guard words.count > 1 else { return nil }
        let word = words[1].description
        for prefix in [takes, checks] where word.hasPrefix(prefix) {
            guard let number = Int32(word.dropFirst(prefix.count)), number > 2 else { return nil }
            return (FD(raw: number), prefix == checks, Array(words.prefix(1) + words.dropFirst(2)))
        }
        return nil
    }

    /// What must stay open for a look at it.
    var descriptors: [FD] {
        [memory, device, lock] + layers.layers + layers.dataLayers + (layers.work.map { [$0] } ?? [])
            + (layers.upperMount.map { [$0] } ?? []) + (claim.map { [$0.upper, $0.work] } ?? [])
    }

    // ---- as text: `key=value` lines, an empty one, and the record ----

    var text: [UInt8] {
        var lines = [
            "format=\(format)", "memory=\(memory.raw)", "address=\(address)", "device=\(device.raw)",
            "lock=\(lock.raw)", "id=\(id)",
        ]
        lines += layers.layers.map { "layer=\($0.raw)" } + layers.dataLayers.map { "data=\($0.raw)" }
        lines += layers.idMapped.map { "idmapped=\($0)" }
        if let work = layers.work { lines.append("work=\(work.raw)") }
        if let mount = layers.upperMount { lines.append("upper_mount=\(mount.raw)") }
        if let claim {
            lines += ["claim=\(claim.upper.raw)", "claim=\(claim.work.raw)", "sole=\(claim.isSole ? 1 : 0)"]
        }
        return Array((lines.joined(separator: "\n") + "\n\n").utf8) + record.text
    }

    /// - Throws: with what to do.
    init(_ file: FD) throws(RegistryError) {
        let text: [UInt8]
        do throws(Errno) { text = try file.contents(limit: 1 << 20) } catch {
            throw RegistryError("what the program before has left cannot be read: \(error.text)")
        }
        let damaged = RegistryError("what the program before has left is not understood: unmount, and mount again")
        guard let end = (0..<max(text.count - 1, 0)).first(where: { text[$0] == 0x0a && text[$0 + 1] == 0x0a }),
            let record = MountRecord(text: Array(text[(end + 2)...]))
        else { throw damaged }
        var values: [String: [String]] = [:]
        for line in text[..<end].split(separator: 0x0a) {
            guard let at = line.firstIndex(of: 0x3d) else { continue }
            values[String(decoding: line[..<at], as: UTF8.self), default: []].append(
                String(decoding: line[(at + 1)...], as: UTF8.self))
        }
        func numbers(_ key: String) -> [FD] { (values[key] ?? []).compactMap { Int32($0) }.map { FD(raw: $0) } }
        guard let format = values["format"]?.first else { throw damaged }
        guard format == UnionMemory.format else {
            throw RegistryError(
                """
                its records have another format than this program's: unmount, and mount again (theirs \
                \(format), ours \(UnionMemory.format))
                """
            )
        }
        guard let memory = numbers("memory").first, let address = values["address"]?.first.flatMap({ UInt($0) }),
            let device = numbers("device").first,
            let lock = numbers("lock").first, let id = values["id"]?.first
        else { throw damaged }
        self.format = format
        self.memory = memory
        self.address = address
        self.device = device
        self.lock = lock
        self.id = FileName(id)
        self.record = record
        layers = HeldLayers(
            layers: numbers("layer"), dataLayers: numbers("data"), work: numbers("work").first,
            idMapped: (values["idmapped"] ?? []).compactMap { Int($0) },
            upperMount: numbers("upper_mount").first)
        let claimed = numbers("claim")
        claim = claimed.count == 2 ? (claimed[0], claimed[1], values["sole"]?.first == "1") : nil
    }

    init(
        memory: UnionMemory, device: FD, layers: LayerStack, claim: LayerClaim?, registration: MountRegistration,
        record: MountRecord
    ) {
        format = UnionMemory.format
        self.memory = memory.file
        address = memory.address
        self.device = device
        self.layers = HeldLayers(
            layers: layers.layers.map(\.root.fd), dataLayers: layers.dataLayers.map(\.root.fd),
            work: layers.workDirectory,
            idMapped: layers.layers.filter(\.isIDMapped).map(\.index), upperMount: layers.upperMount)
        self.claim = claim.map { ($0.upperDirectory, $0.workDirectory, $0.isSole) }
        lock = registration.lockFile
        id = registration.id
        self.record = record
    }
}
