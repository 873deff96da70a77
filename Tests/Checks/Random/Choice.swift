import Glibc

/// Chooses the next operation from the random numbers and what the model says is there.
struct Choice {
    var random: Random
    /// The reference is a plain directory, not another union.
    let isPlain: Bool

    /// What a slot of open descriptors holds, as the model sees it.
    struct Slot {
        var node: Model.Node
        var path: Name
        var writable: Bool
    }

    /// The operation, and who does it.
    mutating func next(_ model: Model, _ slots: [Slot?]) -> (Operation, Actor) {
        let operation = choose(model, slots)
        switch operation {
        // These consist of many calls, and where in the middle they fail the model could not know.
        case .removeTree, .copyFile, .temporary, .guarded: return (operation, .root)
        // The kernel's overlayfs takes suid away before it finds that the filesystem cannot do it (ovl_copyfile).
        case .clone: return (operation, .root)
        // The kernel's overlayfs takes sgid away from who is not in the group, as if an access list had been set
        // (ovl_set_acl); a plain filesystem leaves the mode alone (docs/semantics.md).
        case .removexattr(_, ACL.access): return (operation, .root)
        default: return (operation, random.chance(30) ? random.pick(Actor.all) : .root)
        }
    }

    private mutating func choose(_ model: Model, _ slots: [Slot?]) -> Operation {
        if random.chance(15), let operation = slotOperation(model, slots) { return operation }
        if random.chance(12) { return further(model) }
        switch random.below(100) {
        case 0..<9: return create(model, slots)
        case 9..<15: return .write(file(model), offset: offset(), data())
        case 15..<19: return .append(file(model), data())
        case 19..<22: return .truncate(file(model), Int(offset()))
        case 22..<23: return .openTruncate(file(model))
        case 23..<25: return allocate(model)
        case 25..<28: return .mapWrite(file(model), offset: Int(offset()), data(upTo: 5000))
        case 28..<30:
            return .copyRange(
                file(model), offset(), to: file(model), offset(), count: random.pick([10, 4096, 100_000]))
        case 30..<35: return .chmod(any(model), mode())
        case 35..<39:
            return .chown(any(model), uid: random.pick([-1, 0, 1000, 1001]), gid: random.pick([-1, 0, 1000, 1001]))
        case 39..<42: return .utimens(any(model), access: time(), modify: time())
        case 42..<46: return setxattr(model)
        case 46..<48: return .removexattr(any(model), random.pick(Self.attributes))
        case 48..<53: return .mkdir(model.somePath(&random, existing: 20), random.pick(Self.directoryModes))
        case 53..<56: return .rmdir(model.somePath(&random, kind: .directory))
        case 56..<61: return .unlink(any(model))
        case 61..<72: return rename(model)
        case 72..<76: return .link(any(model), model.somePath(&random, existing: 20))
        case 76..<79: return .symlink(random.pick(Layers.names), at: model.somePath(&random, existing: 20))
        case 79..<81: return mknod(model)
        case 81..<83: return temporary(model, slots)
        case 83..<86: return .list(model.someDirectory(&random))
        case 86..<88: return .stat(any(model))
        case 88..<91: return .read(file(model))
        case 91..<92: return .readlink(model.somePath(&random, kind: .symlink))
        case 92..<94: return .access(any(model), random.pick([F_OK, R_OK, W_OK, X_OK, R_OK | W_OK]))
        case 94..<95: return .sync(random.chance(50) ? file(model) : model.someDirectory(&random))
        case 95..<96: return .removeTree(model.somePath(&random, existing: 95, kind: .directory))
        case 96..<98: return .copyFile(file(model), to: model.somePath(&random, existing: 5))
        default:
            let access = random.pick([O_RDONLY, O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_APPEND, O_WRONLY | O_APPEND])
            guard let slot = freeSlot(slots) else { return .stat(any(model)) }
            return .open(file(model), flags: access, slot: slot)
        }
    }

    private static let modes: [UInt32] = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6777, 0o2644, 0o1777, 0, 0o777, 0o400]
    private static let directoryModes: [UInt32] = [0o755, 0o755, 0o700, 0o777, 0o1777, 0o2775, 0o511]
    private static let attributes: [Name] = [
        "user.a", "user.b", "trusted.t", "security.x", capability, "trusted.overlay.a", "trusted.overlay.opaque",
        "trusted.overlay.redirect", "trusted.overlay.metacopy", "user.overlay.a",
        ACL.access, ACL.default, ACL.default,
    ]
    private static let capability: Name = "security.capability"
    /// vfs_cap_data of revision 2 with cap_net_raw, effective.
    private static let capabilities: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)

    /// One that means something, or any.
    private mutating func mode() -> UInt32 {
        random.chance(70) ? random.pick(Self.modes) : UInt32(random.below(0o10000))
    }

    private mutating func any(_ model: Model) -> Name { model.somePath(&random) }
    private mutating func file(_ model: Model) -> Name { model.somePath(&random, kind: .file) }

    private mutating func offset() -> Int64 { random.pick([0, 1, 100, 4095, 4096, 8192, 12_345, 65_536, 200_000]) }

    private mutating func data(upTo limit: Int = .max) -> Operation.Data {
        Operation.Data(seed: random.next(), count: min(limit, random.pick([1, 10, 100, 4096, 5000, 30_000])))
    }

    /// Far enough from now in either direction, so that it cannot be taken for a time of the clock.
    private mutating func time() -> Moment {
        let seconds =
            random.chance(90) ? Int64(random.within(0...1_500_000_000)) : random.pick([-1, -1_000_000, 4_102_444_800])
        return Moment(seconds, Int64(random.below(1_000_000_000)))
    }

    private mutating func freeSlot(_ slots: [Slot?]) -> Int? { slots.indices.filter { slots[$0] == nil }.first }

    private mutating func create(_ model: Model, _ slots: [Slot?]) -> Operation {
        let flags = random.pick([O_RDWR, O_RDWR, O_RDWR | O_EXCL, O_RDWR | O_TRUNC])
        let slot = random.chance(20) ? freeSlot(slots) : nil
        return .create(
            model.somePath(&random, existing: 25), mode: random.pick(Self.modes), flags: flags, data(), slot: slot)
    }

    private mutating func allocate(_ model: Model) -> Operation {
        let mode = random.pick([
            0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
            FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
        ])
        return .allocate(file(model), mode: mode, offset: offset(), length: random.pick([1, 4096, 10_000, 50_000]))
    }

    private mutating func setxattr(_ model: Model) -> Operation {
        let name = random.pick(Self.attributes)
        let value =
            name == ACL.access || name == ACL.default
            ? accessList()
            : name == Self.capability ? Self.capabilities : random.bytes(random.below(40))
        return .setxattr(any(model), name, value, flags: random.pick([0, 0, XATTR_CREATE, XATTR_REPLACE]))
    }

    /// For some of those that act, with any permissions; now and then one that means no more than a mode, or is none.
    private mutating func accessList() -> [UInt8] {
        func any() -> UInt16 { UInt16(random.below(8)) }
        switch random.below(10) {
        case 0: return ACL.bytes([.owner(any()), .group(any()), .other(any())])
        case 1: return ACL.bytes([.owner(any()), .user(1000, any()), .other(any())])
        default:
            var entries: [ACL.Entry] = [.owner(any())]
            for uid: UInt32 in [1000, 1001] where random.chance(60) { entries.append(.user(uid, any())) }
            entries.append(.group(any()))
            for gid: UInt32 in [1000, 1001] where random.chance(40) { entries.append(.namedGroup(gid, any())) }
            return ACL.bytes(entries + [.mask(any()), .other(any())])
        }
    }

    private mutating func rename(_ model: Model) -> Operation {
        let picked = random.pick([0, 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE, RENAME_WHITEOUT])
        // A union takes none.
        let flags = isPlain && picked == RENAME_WHITEOUT ? 0 : picked
        let kind: Model.Node.Kind? = random.chance(40) ? .directory : nil
        return .rename(
            model.somePath(&random, kind: kind), model.somePath(&random, existing: flags == RENAME_EXCHANGE ? 90 : 40),
            flags)
    }

    private mutating func further(_ model: Model) -> Operation {
        switch random.below(12) {
        case 0..<3: return .getxattrs(any(model))
        case 3:
            return .setFlag(random.chance(80) ? file(model) : any(model), random.pick([0, FS_NOATIME_FL, FS_SYNC_FL]))
        case 4: return .guarded(any(model), random.pick([FS_IMMUTABLE_FL, FS_APPEND_FL]))
        case 5..<7:
            return .direct(
                file(model), offset: 4096 * random.below(8), blocks: random.within(1...4), seed: random.next())
        case 7: return .mapRead(file(model))
        case 8: return .clone(file(model), to: file(model))
        case 9: return .sendfile(file(model), to: file(model))
        case 10:
            return .utimens(
                any(model), access: random.pick([.now, .omit, time()]), modify: random.pick([.now, .omit, time()]))
        default: return .holes(file(model), offset())
        }
    }

    private mutating func mknod(_ model: Model) -> Operation {
        // Not character 0/0, which is a whiteout.
        // Nor a block device that may exist: major 60 is for experiments.
        let kinds: [(UInt32, UInt64)] = [
            (kindFifo, 0), (kindSocket, 0), (kindCharacter, 0x103), (kindBlock, 0x3c00), (kindRegular, 0),
        ]
        let (kind, device) = random.pick(kinds)
        return .mknod(model.somePath(&random, existing: 20), kind | random.pick(Self.modes), device)
    }

    private mutating func temporary(_ model: Model, _ slots: [Slot?]) -> Operation {
        let published = random.chance(80) ? model.somePath(&random, existing: 20) : nil
        return .temporary(
            inside: model.someDirectory(&random), mode: random.pick(Self.modes), data(), published: published,
            slot: random.chance(30) ? freeSlot(slots) : nil)
    }

    /// Something with what was opened earlier.
    ///
    /// The kernel's overlayfs, as reference, is wrong about files that are open for reading, lie in a lower layer only
    /// and have lost the name they were opened by: they keep a link, and cannot be changed (EEXIST, ENOENT from the
    /// copy-up). So of descriptors that are not writable, and whose name is gone, nothing is asked but data.
    private mutating func slotOperation(_ model: Model, _ slots: [Slot?]) -> Operation? {
        let used = slots.indices.filter { slots[$0] != nil }
        guard !used.isEmpty else { return nil }
        let slot = random.pick(used)
        guard let held = slots[slot] else { return nil }
        // An open for writing copies a file up, but not a fifo.
        let named = held.writable && held.node.kind == .file || model.node(held.path) === held.node
        switch random.below(14) {
        case 12: return .slotAppend(slot: slot, data())
        case 13 where named:
            return .slotAllocate(
                slot: slot, mode: random.pick([0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE]),
                offset: offset(), length: random.pick([1, 10_000]))
        case 0..<3: return .slotWrite(slot: slot, offset: offset(), data())
        case 3..<5: return .slotRead(slot: slot, offset: offset(), count: random.pick([10, 4096, 100_000]))
        case 5..<7: return .slotStat(slot: slot, named: named)
        case 7: return .slotTruncate(slot: slot, offset())
        case 8 where named: return .slotChmod(slot: slot, random.pick(Self.modes))
        case 9 where named: return .slotXattr(slot: slot, random.pick(["user.a", "trusted.t"]), random.bytes(5))
        case 10 where named: return .slotTimes(slot: slot, time())
        default: return .close(slot: slot)
        }
    }
}
