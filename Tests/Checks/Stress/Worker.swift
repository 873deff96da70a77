import CShims
import Glibc

/// One process of `stress`: what it owns, its counters, and the choice of what to do next.
struct Worker {
    /// A file that only this process touches, and what must be in it.
    struct Own {
        var path: Name
        var bytes: [UInt8]
        var mode: UInt32
    }

    let index: Int
    let count: Int
    /// The kernel's FUSE client then shows a link count of 0 for a while, if somebody lists the directory in the moment
    /// of an unlink(2) (docs/semantics.md).
    let writesBack: Bool
    var random: Random
    var owned: [Own] = []
    private var nextName = 0
    private var operations = 0
    private var passed = 0
    private var failed = 0

    static let most = 40
    static let longest = 64 << 10

    init(index: Int, count: Int, seed: UInt64, writesBack: Bool) {
        self.writesBack = writesBack
        self.index = index
        self.count = count
        random = Random(seed: seed &* 1000 &+ UInt64(index))
    }

    mutating func work(until: UInt64) -> (Int, Int, Int) {
        // After so many failures more of them say nothing new.
        while cs_monotonic_ns() < until, failed < 20 {
            operations += 1
            if random.chance(60) { ownStep() } else { sharedStep() }
        }
        for index in owned.indices { verify(index) }
        for own in owned { expect("unlink(\(own.path))", Sys.unlink(own.path)) }
        return (operations, passed, failed)
    }

    // MARK: Judging

    mutating func fail(_ text: String) {
        failed += 1
        printLine("FAIL process \(index) operation \(operations): \(text)")
    }

    mutating func check(_ what: @autoclosure () -> String, _ right: Bool) {
        if right { passed += 1 } else { fail(what()) }
    }

    /// On what one owns, nothing may fail.
    @discardableResult
    mutating func expect(_ what: @autoclosure () -> String, _ result: Int) -> Bool {
        check("\(what()): \(show(result))", result >= 0)
        return result >= 0
    }

    /// On what all share, a race may have any of these outcomes, on any filesystem: the name has gone or come
    /// meanwhile, or has become another kind of object. Never EIO, ESTALE, EXDEV, EINVAL, ENOTCONN or EBUSY.
    @discardableResult
    mutating func tolerate(_ what: @autoclosure () -> String, _ result: Int, also: [Int32] = []) -> Bool {
        let usual = [ENOENT, EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, ELOOP]
        let fine = result >= 0 || usual.contains(Int32(-result)) || also.contains(Int32(-result))
        check("\(what()): \(show(result))", fine)
        return result >= 0
    }

    // MARK: Names

    mutating func someDirectory() -> Name { random.pick(StressRun.directories) }

    /// Never used before, and by no other process.
    mutating func freshPath() -> Name {
        nextName += 1
        return someDirectory().joined("p\(index)-n\(nextName)")
    }

    mutating func someBytes(upTo limit: Int) -> [UInt8] { random.bytes(random.below(max(1, limit)) + 1) }
}
