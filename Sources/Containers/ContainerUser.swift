internal import Glibc
internal import LayerStore
internal import LinuxSys

/// Who a process in a container is: `USER[:GROUP]`, each a name of the container's own /etc/passwd and /etc/group, or a number.
struct ContainerUser: Equatable {
    var uid: UInt32 = 0, gid: UInt32 = 0
    var groups: [UInt32] = []
    var home: String?

    init(_ text: String?, root: FD) throws(StoreError) {
        let users = ContainerUser.lines("etc/passwd", root), groups = ContainerUser.lines("etc/group", root)
        let parts = (text ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "0"
        // name:password:uid:gid:comment:home:shell
        let entry = users.first { $0.count >= 6 && ($0[0] == name || $0[2] == name) }
        if let entry, let uid = UInt32(entry[2]), let gid = UInt32(entry[3]) {
            self.uid = uid
            self.gid = gid
            home = entry[5]
            self.groups = groups.filter { $0.count >= 4 && $0[3].split(separator: ",").contains { $0 == entry[0] } }.compactMap { UInt32($0[2]) }
        } else if let uid = UInt32(name) { self.uid = uid } else { throw StoreError(.notFound, "the container knows no user \"\(name)\"") }
        if parts.count == 2 {
            // name:password:gid:members
            guard let gid = groups.first(where: { $0.count >= 3 && $0[0] == parts[1] }).flatMap({ UInt32($0[2]) }) ?? UInt32(parts[1]) else {
                throw StoreError(.notFound, "the container knows no group \"\(parts[1])\"")
            }
            self.gid = gid
            self.groups = []
        }
    }

    /// The container writes these files, and may have put a link there that leads out: it is not followed.
    private static func lines(_ path: FileName, _ root: FD) -> [[String]] {
        do throws(Errno) {
            let file = try path.withRef { (p) throws(Errno) in try root.openInside(p, O_RDONLY | O_NONBLOCK) }
            guard try file.fd.status().isRegular else { return [] }
            return try file.fd.readAll(limit: 4 << 20).split(separator: 0x0a).map { line in
                line.split(separator: 0x3a, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
            }
        } catch { return [] }
    }
}
