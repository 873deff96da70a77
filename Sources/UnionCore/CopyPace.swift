internal import LinuxSys

/// The pace of a long copy: in steps short enough that a caller who is killed need not wait for the rest, and on its
/// way to the disk while it is made, so that the fsync(2) at the end, which nothing interrupts, has little left to do.
struct CopyPace {
    /// At most so much between two looks. Overlayfs takes 1 MiB (OVL_COPY_UP_CHUNK_SIZE); this costs no speed, and 16
    /// MiB are 0.2 s of a slow disk.
    static let step: Int64 = 16 << 20

    private var watch = KillWatch()
    private let goesToDisk: Bool
    /// Where the part that is on its way to the disk begins, and where what nobody sent yet does.
    private var underWay: Int64 = 0
    private var unsent: Int64 = 0

    /// - Parameter goesToDisk: the copy is to be durable.
    init(goesToDisk: Bool) { self.goesToDisk = goesToDisk }

    /// - Throws: EINTR when nobody waits for the copy any more; what the disk says.
    mutating func advanced(_ copy: FD, to position: Int64) throws(Errno) {
        try watch.check()
        guard goesToDisk, position - unsent >= CopyPace.step else { return }
        do throws(Errno) {
            try copy.beginSync(unsent, position - unsent)
            if unsent > underWay { try copy.awaitSync(underWay, unsent - underWay) }
        } catch {
            switch error {
            case .invalid, .notSupported, .notImplemented, Errno(29 /* ESPIPE */): break
            default: throw error
            }
        }
        underWay = unsent
        unsent = position
    }
}
