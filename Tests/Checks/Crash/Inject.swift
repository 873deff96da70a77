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
        guard let pid = parser.number("--pid"), let at = parser.number("--at", default: 0),
            let guardian = parser.number("--guardian", default: 0),
            let again = parser.number("--again", default: 0)
        else { return Arguments.usage() }
        let strikes = [
            (parser.flag("--kill"), INJECT_KILL), (parser.flag("--kill-after"), INJECT_KILL_AFTER),
            (parser.flag("--lose"), INJECT_LOSE),
        ].filter(\.0).map(\.1)
        let error = parser.number("--error")
        let only = parser.option("--only")
        guard parser.rest(0) != nil, strikes.count + (error == nil ? 0 : 1) <= 1 else { return Arguments.usage() }
        var plan = inject()
        plan.pid = Int32(truncatingIfNeeded: pid)
        plan.what = strikes.first ?? (error != nil ? INJECT_ERROR : INJECT_COUNT)
        plan.at = Int32(truncatingIfNeeded: at)
        plan.error = Int32(truncatingIfNeeded: error ?? 0)
        plan.guardian = Int32(truncatingIfNeeded: guardian)
        plan.again = Int32(truncatingIfNeeded: again)
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe command.map { word in
            unsafe word.withPointer { unsafe strdup($0) }
        }
        unsafe pointers.append(nil)
        let result: Int32
        if let only {
            result = unsafe only.withPointer { unsafe inject_run(&plan, $0, &pointers) }
        } else {
            result = unsafe inject_run(&plan, nil, &pointers)
        }
        return result < 0 ? complain("inject: \(show(Int(result)))") : 0
    }

    /// `powercut DIR`: the ext4 at DIR loses everything that is not on its disk.
    static func powerCut(_ arguments: [Name]) -> Int32 {
        guard arguments.count == 1 else { return Arguments.usage() }
        let result = unsafe arguments[0].withPointer { unsafe inject_ext4_shutdown($0) }
        return result < 0 ? complain("powercut: \(show(Int(result)))") : 0
    }
}
