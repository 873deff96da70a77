import LinuxSys
import Testing

@testable import UnionCore

/// How attributes' names in the mount are spelled in a layer, and back.
struct VisibilityTests {
    private func inLayer(_ name: FileName, _ namespace: XattrNamespace) throws -> FileName? {
        try name.withRef { n in try XattrVisibility(namespace).withLayerName(n) { (l) throws(Errno) in l.owned } }
    }
    /// As the mount shows an attribute of a layer; nil: not at all.
    private func inMount(_ name: FileName, _ namespace: XattrNamespace) -> FileName? {
        switch name.withRef({ n in XattrVisibility(namespace).shown(n) }) {
        case .same: name
        case .hidden: nil
        case .unescaped(let drop, let prefix):
            FileName(bytes: Array(name.bytes.prefix(prefix)) + Array(name.bytes.dropFirst(prefix + drop)))
        }
    }

    @Test(arguments: [XattrNamespace.trusted, .user])
    func thereAndBack(_ namespace: XattrNamespace) throws {
        let own: FileName = namespace == .trusted ? "trusted.overlay." : "user.overlay."
        let names: [FileName] = [
            "user.note", "security.capability", "system.posix_acl_access", "trusted.x", own.appending("opaque"),
            own.appending("overlay.opaque"), own.appending(""), own.appending("overlay."), "user.overlay",
            "trusted.overlay",
        ]
        for name in names {
            let layer = try #require(try inLayer(name, namespace))
            #expect(inMount(layer, namespace) == name, "\(name)")
            #expect(!layer.withRef { XattrVisibility(namespace).isOverlayOwn($0) }, "\(name)")
        }
    }
    @Test func overlaysOwnAreHidden() throws {
        for name: FileName in [
            "opaque", "redirect", "origin", "impure", "nlink", "upper", "metacopy", "whiteout", "uuid", "anything",
        ] {
            let (trusted, user) = (
                FileName("trusted.overlay.").appending(name), FileName("user.overlay.").appending(name)
            )
            #expect(inMount(trusted, .trusted) == nil && inMount(user, .user) == nil)
            #expect(inMount(user, .trusted) == user && inMount(trusted, .user) == trusted)
            #expect(
                trusted.withRef { XattrVisibility(.trusted).isOverlayOwn($0) }
                    && !trusted.withRef { XattrVisibility(.user).isOverlayOwn($0) })
        }
    }
    @Test func whatFuseOverlayfsKeepsForItself() throws {
        #expect(
            try inLayer("user.fuseoverlayfs.opaque", .trusted) == nil && inLayer("user.fuseoverlayfs.x", .user) == nil)
        #expect(inMount("user.fuseoverlayfs.opaque", .trusted) == nil)
    }
    @Test func aNameTooLongToEscape() throws {
        let long = FileName("trusted.overlay." + String(repeating: "a", count: 239))
        #expect(long.count == 255)
        #expect(try inLayer(long, .trusted) == nil)
    }
    @Test func spelledAsTheKernelSpellsThem() {
        #expect(
            OverlayXattr.origin.name(.trusted).equals("trusted.overlay.origin")
                && OverlayXattr.nlink.name(.user).equals("user.overlay.nlink"))
        for attribute in [
            OverlayXattr.opaque, .redirect, .origin, .impure, .nlink, .upper, .metacopy, .whiteout, .uuid, .protattr,
        ] {
            #expect(
                attribute.name(.trusted).hasPrefix("trusted.overlay.")
                    && attribute.name(.user).hasPrefix("user.overlay."))
            #expect(attribute.name(.trusted).dropping(16).equals(attribute.name(.user).dropping(13)))
        }
    }
}
