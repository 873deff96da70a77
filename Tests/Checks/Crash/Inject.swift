import CInject
import Glibc

/// `inject`: a command, and the end or an error of the process that serves it, at a chosen system call (Tests/Inject).
enum Inject {
    static func run(_ arguments: [Name]) -> Int32 {
        var words = arguments
        guard let dashes = words.firstIndex(of: "--"), dashes + 1 < words.count else { return Arguments.usage() }
        let command = Array(words[(dashes + 1)...])
        words.removeSubrange(dashes...)
        var parser = Arguments(words)
        guard let pid = parser.number("--pid"), let at = parser.number("--at", default: 0) else { return Arguments.usage() }
        let kills = parser.flag("--kill")
        let error = parser.number("--error")
        guard parser.rest(0) != nil, !(kills && error != nil) else { return Arguments.usage() }
        let what = kills ? INJECT_KILL : error != nil ? INJECT_ERROR : INJECT_COUNT
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe command.map { word in unsafe word.withPointer { unsafe strdup($0) } }
        unsafe pointers.append(nil)
        let result = unsafe inject_run(Int32(truncatingIfNeeded: pid), what, Int32(truncatingIfNeeded: at), Int32(truncatingIfNeeded: error ?? 0), &pointers)
        return result < 0 ? complain("inject: \(show(Int(result)))") : 0
    }

    /// `powercut DIR`: the ext4 at DIR loses everything that is not on its disk.
    static func powerCut(_ arguments: [Name]) -> Int32 {
        guard arguments.count == 1 else { return Arguments.usage() }
        let result = unsafe arguments[0].withPointer { unsafe inject_ext4_shutdown($0) }
        return result < 0 ? complain("powercut: \(show(Int(result)))") : 0
    }
}
