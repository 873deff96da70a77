public import LinuxSys
internal import Synchronization

/// Each step of a copy-up that can fail. A test makes one fail and looks at what is left.
public enum CopyUpStep: Int, CaseIterable, Sendable {
    case makeTemporary, openSource, cloneData, copyData, truncate, listXattrs, setXattr, changeOwner, changeMode,
        setTimes
    case setOrigin, setRedirect, setLinkCount, setMetacopy, removeMetacopy, synchronise, linkIntoIndex, publish,
        setImpure, restoreParentTimes
}

/// Which step fails how: once, at its n-th time. Only tests make one; a mount has none and asks nothing.
public final class FaultPlan: Sendable {
    private let step: CopyUpStep
    private let errno: Errno
    private let left: Atomic<Int>
    private let hit = Atomic<Int>(0)

    public init(_ step: CopyUpStep, _ errno: Errno, atTime n: Int = 1) {
        self.step = step
        self.errno = errno
        left = Atomic(n)
    }
    /// How often the step was reached.
    public var reached: Int { hit.load(ordering: .relaxed) }

    func check(_ step: CopyUpStep) throws(Errno) {
        guard step == self.step else { return }
        hit.wrappingAdd(1, ordering: .relaxed)
        if left.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { throw errno }
    }
}

extension LayerStack {
    @inline(__always)
    func step(_ step: CopyUpStep) throws(Errno) {
        if let faults { try faults.check(step) }
    }
}
