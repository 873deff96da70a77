internal import LinuxSys

/// podman as root, with a user namespace for its container (`--uidmap`), gives its mount program lower layers that the
/// kernel maps already, and the same mapping once more as an option, which is meant for the upper layer
/// (docs/podman.md). To tell them apart: what the kernel says of the mount that a path lies on.
enum IDMappedMount {
    static func has(_ path: FileName) -> Bool {
        do throws(Errno) {
            let directory = try FD.currentDirectory.open(path, OpenFlags.path)
            let id = try directory.fd.status().mountID
            guard id != 0 else { return false }
            let table = try FD.currentDirectory.open(FileName("/proc/self/mountinfo"), 0)
            // id parent device root mountpoint options …
            for line in try table.fd.readAll().split(separator: 0x0a) {
                let fields = line.split(separator: 0x20, maxSplits: 6)
                guard fields.count > 5, fields[0].elementsEqual(String(id).utf8) else { continue }
                return fields[5].split(separator: 0x2c).contains { $0.elementsEqual("idmapped".utf8) }
            }
        } catch {
            // Not to be seen: as it is without.
        }
        return false
    }
}
