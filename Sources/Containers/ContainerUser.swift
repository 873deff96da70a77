internal import Glibc
internal import LayerStore
internal import LinuxSys

/// Who a process in a container is: `USER[:GROUP]`, each a name of the container's own /etc/passwd and /etc/group, or a
/// number.
struct ContainerUser: Equatable {
    var uid: UInt32 = 0, gid: UInt32 = 0
    var groups: [UInt32] = []
    var home: String?

    init(_ text: String?, root: FD) throws(StoreError) {
        let users = ContainerUser.lines("etc/passwd", root)
        let groups = ContainerUser.lines("etc/group", root)
        let parts = (text ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "0"
        // name:password:uid:gid:comment:home:shell
        // A number is a number: an image may have an account that is called so, with another id.
        let number = UInt32(name)
        let entry = users.first { $0.count >= 6 && (number == nil ? $0[0] == name : UInt32($0[2]) == number) }
        if let entry, let uid = UInt32(entry[2]), let gid = UInt32(entry[3]) {
            self.uid = uid
            self.gid = gid
            home = entry[5]
            self.groups = groups.filter { $0.count >= 4 && $0[3].split(separator: ",").contains { $0 == entry[0] } }
                .compactMap { UInt32($0[2]) }
        } else if let number {
            uid = number
        } else {
            throw StoreError(.notFound, "the container knows no user \"\(name)\"")
        }
        if parts.count == 2 {
            // name:password:gid:members
            guard
                let gid = UInt32(parts[1])
                    ?? groups.first(where: { $0.count >= 3 && $0[0] == parts[1] }).flatMap({ UInt32($0[2]) })
            else {
                throw StoreError(.notFound, "the container knows no group \"\(parts[1])\"")
            }
            self.gid = gid
            self.groups = []
        }
    }

    /// The container writes these files, and may have made links of them: they are followed as a process in it sees
    /// them, and none leads out.
    private static func lines(_ path: FileName, _ root: FD) -> [[String]] {
        do throws(Errno) {
            // Looked at before it is opened: to open a device does something.
            let place = try path.withRef { (p) throws(Errno) in try root.openInRoot(p, OpenFlags.path) }
            guard try place.fd.status().isRegular else { return [] }
            let file = try place.fd.reopen(O_RDONLY | O_NONBLOCK)
            return try file.fd.readAll(limit: 4 << 20).split(separator: 0x0a).map { line in
                line.split(separator: 0x3a, omittingEmptySubsequences: false).map {
                    String(decoding: $0, as: UTF8.self)
                }
            }
        } catch { return [] }
    }
}
