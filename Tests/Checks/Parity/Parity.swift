import CShims
import Glibc

/// `parity`: the table of cases on a native directory and on the mount, results compared.
enum Parity {
    private struct Count {
        var passed = 0
        var failed = 0
        var known = 0
    }

    static func run(_ arguments: [Name]) -> Int32 {
        var parser = Arguments(arguments)
        if parser.flag("--list") {
            for test in Case.all { printLine(test.name + (test.freshOnly.map { "  (not prepared: \($0))" } ?? "")) }
            return 0
        }
        let prepared = parser.flag("--lower-prepared")
        let verbose = parser.flag("--verbose")
        let only = parser.option("--only").map { String(decoding: $0.bytes, as: UTF8.self) }
        let sets = parser.option("--known").map {
            String(decoding: $0.bytes, as: UTF8.self).split(separator: ",").map(String.init)
        }
        guard let words = parser.rest(2) else { return Arguments.usage() }
        if let unknown = sets?.first(where: { set in !Known.table.contains { $0.set == set } }) {
            return complain("parity: no set of known differences is called \(unknown)")
        }
        let known = Known(sets: sets ?? [])
        let window = TimeWindow(since: cs_realtime_s())
        let cases = Case.all.filter { only == nil || $0.name.hasPrefix(only ?? "") }

        var count = Count()
        let work: Name = "unionfsd-check.\(getpid())"
        for base in words {
            let made = Sys.mkdir(base.joined(work), 0o755)
            guard made >= 0 else { return complain("parity: mkdir \(base.joined(work)): \(show(made))") }
        }
        for test in cases {
            let places = words.map { $0.joined(work).joined("\(test.name)") }
            for place in places where Sys.mkdir(place, 0o755) < 0 { _ = complain("parity: cannot make \(place)") }
            judge(test, test.name, places, setup: true, window, known, verbose, &count)
            for place in places { removeTree(place, freeing: true) }
        }
        if prepared {
            for test in cases where test.freshOnly == nil {
                let places = words.map { $0.joined("lower/cases").joined("\(test.name)") }
                judge(test, test.name + " [lower]", places, setup: false, window, known, verbose, &count)
            }
            if only == nil {
                let places = words.map { $0.joined("lower/odd") }
                judge(OddObjects.test, "odd [lower]", places, setup: false, window, known, verbose, &count)
            }
        }
        for base in words {
            let left = removeTree(base.joined(work), freeing: true)
            if left < 0 {
                count.failed += 1
                printLine("DIFF clean-up of \(base.joined(work)): \(show(left))")
            }
        }
        if count.known > 0 { printLine("\(count.known) known differences") }
        printLine("\(count.passed) passed, \(count.failed) failed")
        return count.failed == 0 ? 0 : 1
    }

    private static func judge(
        _ test: Case, _ name: String, _ places: [Name], setup: Bool, _ window: TimeWindow,
        _ known: Known, _ verbose: Bool, _ count: inout Count
    ) {
        let native = Transcript.of(test, in: places[0], setup: setup, window: window)
        let mount = Transcript.of(test, in: places[1], setup: setup, window: window)
        let (same, differences) = native.compared(with: mount)
        count.passed += same
        // A case that cannot run on the native directory has compared nothing, even when both sides agree.
        if native.end != "exit 0" {
            count.failed += 1
            printLine("DIFF \(name): the native run ended with \(native.end)")
        }
        if verbose {
            printLine("\(name): \(same) same, \(differences.count) different")
            for line in native.lines + native.tree { printLine("  \(line.label) = \(line.value)") }
        }
        for difference in differences {
            if let reason = known.reason(name, difference) {
                count.known += 1
                if verbose { printLine("KNOWN \(name): \(difference.label): \(reason)") }
                continue
            }
            count.failed += 1
            printLine("DIFF \(name): \(difference.label): native \(difference.native), mount \(difference.mount)")
        }
    }
}
