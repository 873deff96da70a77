/// One case of the table: what must be there, and what is done with it.
///
/// The two are apart so that every case is a copy-up case too: `prepare` runs the set-ups alone, the caller puts the
/// result into lower layers, and `parity --lower-prepared` runs the bodies on it.
///
/// A case runs in a process of its own with its own directory as current directory, so it may change umask,
/// credentials, signals and directory as it likes. It names things relative to there.
struct Case: Sendable {
    let name: String
    /// Why this one runs in fresh directories only; nil for those that run on prepared objects as well.
    let freshOnly: String?
    let setup: @Sendable (Maker) -> Void
    let body: @Sendable (Scene) -> Void

    init(
        _ name: String, freshOnly: String? = nil, setup: @escaping @Sendable (Maker) -> Void,
        body: @escaping @Sendable (Scene) -> Void
    ) {
        self.name = name
        self.freshOnly = freshOnly
        self.setup = setup
        self.body = body
    }

    /// Without a set-up: nothing to prepare in a lower layer but the directory itself.
    init(_ name: String, freshOnly: String? = nil, body: @escaping @Sendable (Scene) -> Void) {
        self.init(name, freshOnly: freshOnly, setup: { _ in }, body: body)
    }

    static let all: [Case] = [
        openCases, createCases, readWriteCases, sizeCases, directoryCases, linkCases, renameCases, nodeCases, modeCases,
        ownerCases, timeCases, xattrCases, aclCases, nameCases, permissionCases, readdirCases, mapCases, lockCases,
        unlinkedCases, filesystemCases, transferCases, flagCases, notifyCases, copyUpCases,
    ].flatMap { $0 }
}
