import CShims
import Glibc

/// `prepare`: makes DIR/lower for `parity --lower-prepared`: `cases/NAME` with the set-up of each case, and `odd`.
/// The same seed gives the same tree, names, contents and times.
enum Prepare {
    static func run(_ arguments: [Name]) -> Int32 {
        var parser = Arguments(arguments)
        let seed = parser.number("--seed", default: 1)
        guard let words = parser.rest(1), let seed else { return Arguments.usage() }
        let base = words[0].joined("lower")
        guard Sys.mkdir(base, 0o755) >= 0, Sys.mkdir(base.joined("cases"), 0o755) >= 0,
            Sys.mkdir(base.joined("odd"), 0o755) >= 0
        else { return complain("prepare: cannot make \(base), or it is there already") }

        var (passed, failed) = (0, 0)
        func make(_ place: Name, _ body: () -> Void) {
            // A child, because it changes directory and because a set-up that fails ends its process.
            let pid = Sys.fork()
            if pid == 0 {
                guard Sys.chdir(place) >= 0 else { exit(complain("prepare: chdir \(place)")) }
                body()
                exit(0)
            }
            if pid > 0, Sys.wait(Int32(pid)) == 0 { passed += 1 } else { failed += 1 }
        }
        for test in Case.all where test.freshOnly == nil {
            let place = base.joined("cases").joined("\(test.name)")
            guard Sys.mkdir(place, 0o755) >= 0 else { return complain("prepare: mkdir \(place)") }
            make(place) { test.setup(Maker()) }
        }
        make(base.joined("odd")) { OddObjects.make(seed: seed) }
        failed += fixTimes(base, seed: seed)
        printLine("seed \(seed)")
        printLine("\(passed) passed, \(failed) failed")
        return failed == 0 ? 0 : 1
    }

    /// Times that depend on name and seed alone, so that two prepared trees are the same in them too. Objects that a
    /// set-up gave a time of their own keep it: it lies far in the past.
    private static func fixTimes(_ base: Name, seed: UInt64) -> Int {
        let window = TimeWindow(since: cs_realtime_s() - 3600)
        var failed = 0
        func fix(_ found: Walker.Found) {
            let (_, status) = Sys.status(found.name, at: found.parent)
            guard window.contains(status.mtime) else { return }
            var hash = ContentHash.of(Array(found.path.bytes)) ^ mix(seed)
            // One object has one time, whichever of its names comes last.
            if !status.isDirectory, status.nlink > 1 { hash = seed }
            let time = Moment(1_200_000_000 + Int64(hash % 300_000_000), Int64(mix(hash) % 1_000_000_000))
            if Sys.utimens(found.name, access: time, modify: time, at: found.parent) < 0 { failed += 1 }
        }
        Walker.walk(AT_FDCWD, base) { visit in
            switch visit {
            case .object(let found) where !found.status.isDirectory: fix(found)
            case .leave(let found): fix(found)
            case .object: break
            case .failed(let path, let what, let code):
                failed += 1
                printError("prepare: \(what) \(path): \(show(code))")
            }
        }
        return failed
    }
}
