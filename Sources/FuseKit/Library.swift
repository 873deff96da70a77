internal import CFuse
internal import CShims
internal import Glibc
internal import LinuxSys

/// libfuse: it parses mount options, mounts (itself as root, else through fusermount3), and answers INIT and DESTROY. Its
/// own receive loop and its decoding of everything else are not used (see Dispatch.swift).
///
/// INIT's reply comes by `customWritev`, where it is replaced by what we negotiated. Reads never go through libfuse.
@safe
final class Library {
    private let handle: OpaquePointer
    /// The descriptor of /dev/fuse; libfuse closes it.
    private(set) var device = FD.none
    /// What INIT's reply is to say. Set before INIT is handed over, used up by the hook.
    fileprivate var pendingAgreement: Agreement?
    /// INIT is replayed for a session that the kernel has long agreed on: its reply goes nowhere.
    fileprivate var swallowsReplies = false
    fileprivate(set) var writeError: Errno?
    fileprivate let maxRead: UInt32

    init(_ options: MountOptions) throws(SessionError) {
        maxRead = options.wanted.clampedMaxWrite
        unsafe cf_set_log(cs_log_capture())
        Library.discardMessages()
        unsafe handle = OpaquePointer(bitPattern: 1).unsafelyUnwrapped
    }
}
