import Glibc
import LinuxSys
import Testing

@testable import FuseKit

/// The decision, tick by tick, with what is seen said by the test.
@Suite struct PaceTests {
    private static let tick = Pace.tickLength
    /// A thread, and the clock that it is looked at by.
    private struct Case {
        var pace = Pace()
        var backOff = BackOff()
        var now: UInt64 = 1_000_000_000_000
        var waited: UInt64? = 0
        /// What was asked for at the last step.
        var looks = 0

        mutating func step(
            served: UInt64, sight: Pace.Sight = .asleep, waits: UInt64 = 0, length: UInt64 = PaceTests.tick
        ) -> Pace.Step {
            now += length
            waited = waited.map { $0 + waits }
            var looks = 0
            let waited = waited
            let step = pace.step(
                Pace.Tick(now: now, length: length, served: served), &backOff,
                sight: {
                    looks += 1
                    return sight
                }, waited: { waited })
            self.looks = looks
            return step
        }
        /// Lowered, as a flow came.
        static func lowered() -> Case {
            var c = Case()
            #expect(c.step(served: 40) == .lower)
            #expect(c.pace.isLowered)
            return c
        }
        mutating func starve() {
            #expect(step(served: 0, sight: .running) == .raise)
            #expect(!pace.isLowered)
            // It got on, and what it waited has been counted.
            #expect(step(served: 3, waits: 2 * PaceTests.tick) == .none)
        }
    }

    @Test func onlyAFlowIsLowered() {
        var c = Case()
        for _ in 0..<100 { #expect(c.step(served: 7) == .none) }
        // Eight, but in a long time.
        #expect(c.step(served: 8, length: 2 * Self.tick) == .none)
        #expect(c.step(served: 400, length: 60 * Self.tick) == .none)
        #expect(c.pace.isSettled)
        #expect(c.step(served: 8) == .lower)
        #expect(!c.pace.isSettled)
    }

    @Test func progressKeepsItLow() {
        var c = Case.lowered()
        for served: UInt64 in [90, 1, 40, 8, 1, 1, 1] {
            #expect(c.step(served: served, sight: .running, waits: Self.tick / 10) == .none)
            #expect(c.pace.isLowered)
            // Where it served, its state says nothing and is not asked for.
            #expect(c.looks == 0)
        }
    }

    @Test func sleepRaisesWithoutBackOff() {
        var c = Case.lowered()
        #expect(c.step(served: 0) == .none)
        #expect(c.step(served: 2) == .none)
        for _ in 1..<Pace.patience { #expect(c.step(served: 0) == .none) }
        #expect(c.step(served: 0) == .raise)
        #expect(c.pace.isSettled && !c.backOff.holds(c.now))
        #expect(c.step(served: 8) == .lower)
    }

    @Test func diskRaisesWithoutBackOff() {
        for sight in [Pace.Sight.onDisk, .gone] {
            var c = Case.lowered()
            #expect(c.step(served: 0, sight: sight) == .raise)
            #expect(c.step(served: 8) == .lower)
        }
    }

    @Test func longWorkIsRaisedAndNoStarvation() {
        var c = Case.lowered()
        #expect(c.step(served: 0, sight: .running) == .raise)
        for _ in 0..<50 { #expect(c.step(served: 0, sight: .running) == .none) }
        #expect(!c.pace.isSettled) // or nobody would look again
        #expect(c.step(served: 1, waits: Self.tick / 4) == .none)
        #expect(c.pace.isSettled && c.backOff.length == 0)
        #expect(c.step(served: 8) == .lower)
    }

    @Test func starvationBacksOff() {
        var c = Case.lowered()
        c.starve()
        #expect(c.pace.isSettled && c.backOff.holds(c.now))
        let until = c.now + BackOff.shortest
        while c.now + Self.tick < until { #expect(c.step(served: 90) == .none) }
        #expect(c.step(served: 90) == .lower)
    }

    @Test func waitingBacksOff() {
        var c = Case.lowered()
        #expect(c.step(served: 20, waits: Self.tick / 2) == .none)
        #expect(c.step(served: 20, waits: Self.tick / 2 + 1) == .raise)
        #expect(c.pace.isSettled && c.backOff.holds(c.now))
    }

    /// The kernel does not count what threads wait for: a thread in doubt was starved.
    @Test func withoutACountOfWaiting() {
        var c = Case()
        c.waited = nil
        #expect(c.step(served: 8) == .lower)
        #expect(c.step(served: 8) == .none)
        #expect(c.step(served: 0, sight: .running) == .raise)
        #expect(c.step(served: 1) == .none)
        #expect(c.backOff.holds(c.now))
    }

    @Test func backOffGrowsAndIsForgiven() {
        var c = Case()
        var lengths: [UInt64] = []
        for _ in 0..<9 {
            #expect(c.step(served: 50) == .lower)
            c.starve()
            lengths.append(c.backOff.length / 1_000_000)
            c.now += c.backOff.length
        }
        #expect(lengths == [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000])
        c.now += BackOff.forgiveness
        #expect(c.step(served: 50) == .lower)
        c.starve()
        #expect(c.backOff.length == BackOff.shortest)
    }

    /// A processor's threads share its back-off: a second one that is starved with the first does not lengthen it, and
    /// does not stay behind.
    @Test func threadsOfAProcessor() {
        var a = Case.lowered()
        var b = Case.lowered()
        a.starve()
        b.now = a.now
        b.backOff = a.backOff
        #expect(b.step(served: 30) == .raise)
        #expect(b.pace.isSettled && b.backOff.length == BackOff.shortest)
        b.backOff.contended(b.now)
        #expect(b.backOff.length == BackOff.shortest)
    }

    /// Whatever is seen, in any order: an unsettled thread is settled by a few quiet ticks, so a watchdog that waits
    /// for that leaves none lowered.
    @Test func quietSettles() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var c = Case()
            var lowered = false
            for _ in 0..<20 {
                let sight = [Pace.Sight.running, .onDisk, .asleep, .gone][Int(random.next(upperBound: UInt(4)))]
                switch c.step(
                    served: random.next(upperBound: UInt64(16)), sight: sight, waits: random.next(upperBound: Self.tick)
                ) {
                case .none: break
                case .lower:
                    #expect(!lowered)
                    lowered = true
                case .raise:
                    #expect(lowered)
                    lowered = false
                }
                #expect(lowered == c.pace.isLowered)
            }
            for _ in 0..<Pace.patience + 1 where c.step(served: 0) == .raise { lowered = false }
            #expect(c.pace.isSettled && !lowered)
        }
    }
}

@Suite struct PlacementTests {
    @Test func longReadsSetFree() {
        var p = Placement()
        for _ in 1..<Placement.enough { #expect(p.served(read: 131072) == nil) }
        #expect(p.served(read: Placement.long) == .free)
        for _ in 0..<100 { #expect(p.served(read: 131072) == nil) }
        // One other request among long reads changes nothing.
        for _ in 0..<100 {
            #expect(p.served(read: 0) == nil)
            #expect(p.served(read: 131072) == nil)
        }
        for _ in 1..<Placement.enough { #expect(p.served(read: 4096) == nil) }
        #expect(p.isFree)
        #expect(p.served(read: 0) == .home)
        #expect(!p.isFree)
    }

    @Test func aMixtureStaysAtHome() {
        var p = Placement()
        for i in 0..<1000 { #expect(p.served(read: i % 2 == 0 ? 131072 : 0) == nil) }
        #expect(!p.isFree)
    }
}

@Suite struct FollowTests {
    private static let enough = Follow.flow
    /// Followed on processor 3.
    private static func following() -> Follow {
        var f = Follow()
        for _ in 1..<Follow.patience { #expect(f.begins(.one(7), rate: enough, processor: { _ in 3 }) == nil) }
        #expect(f.begins(.one(7), rate: enough, processor: { _ in 3 }) == 3)
        return f
    }

    @Test func oneSteadyCallerIsFollowed() {
        _ = Self.following()
        var f = Follow()
        for i in 0..<50 { #expect(f.begins(.one(UInt32(i)), rate: Self.enough, processor: { _ in 3 }) == nil) }
        for _ in 0..<50 { #expect(f.begins(.several, rate: Self.enough, processor: { _ in 3 }) == nil) }
        for _ in 0..<50 { #expect(f.begins(.one(7), rate: Self.enough - 1, processor: { _ in 3 }) == nil) }
        for _ in 0..<50 {
            #expect(f.begins(.one(7), rate: Self.enough, processor: { _ in 3 }) == nil)
            #expect(f.begins(.several, rate: Self.enough, processor: { _ in 3 }) == nil)
        }
        // Not to be seen in /proc.
        for _ in 0..<50 { #expect(f.begins(.one(8), rate: Self.enough, processor: { _ in nil }) == nil) }
    }

    @Test func theCallerMoves() {
        var f = Self.following()
        for _ in 0..<5 { #expect(f.goesOn(.one(7), rate: Self.enough, processor: { _ in 3 }) == .stay) }
        #expect(f.goesOn(.one(7), rate: Self.enough, processor: { _ in 1 }) == .move(1))
        #expect(f.processor == 1)
        #expect(f.goesOn(.one(7), rate: Self.enough, processor: { _ in 1 }) == .stay)
        // Few requests: it is driven away by something else than us.
        #expect(f.goesOn(.one(7), rate: Self.enough - 1, processor: { _ in 1 }) == .stay)
        #expect(f.goesOn(.one(7), rate: Self.enough - 1, processor: { _ in 2 }) == .leave)
    }

    @Test func anotherCallerEndsIt() {
        for sight in [Follow.Sight.several, .one(8)] {
            var f = Self.following()
            #expect(f.goesOn(.nobody, rate: 0, processor: { _ in 3 }) == .stay)
            #expect(f.goesOn(sight, rate: Self.enough, processor: { _ in 3 }) == .leave)
            // As at the beginning.
            #expect(f.begins(.one(7), rate: Self.enough, processor: { _ in 3 }) == nil)
        }
        var f = Self.following()
        #expect(f.goesOn(.one(7), rate: Self.enough, processor: { _ in nil }) == .leave)
    }
}

extension MountTests {
    private static var parameter: NameRef { NameRef("/sys/module/fuse/parameters/enable_uring") }
    private static func setting() throws -> [UInt8] {
        let file = try FD.currentDirectory.open(parameter, O_RDONLY)
        return try file.fd.readAll()
    }
    private static func set(_ value: [UInt8]) throws {
        let file = try FD.currentDirectory.open(parameter, O_WRONLY)
        try file.fd.writeAll(value)
    }
    /// The policy of each thread of this process: field 41 of proc_pid_stat(5).
    private static func policies() throws -> [Int] {
        let tasks = try FD.currentDirectory.openDirectory(NameRef("/proc/self/task"))
        var names: [FileName] = []
        var reader = DirectoryReader(tasks.fd)
        try reader.forEach { (name, _, _) throws(Errno) in
            names.append(FileName("\(name.owned)/stat"))
            return true
        }
        return names.compactMap { name in
            guard let file = try? tasks.fd.open(name, O_RDONLY), let text = try? file.fd.readAll(limit: 4096),
                let close = text.lastIndex(of: UInt8(ascii: ")"))
            else { return nil }
            let fields = String(decoding: text[(close + 2)...], as: UTF8.self).split(separator: " ")
            return fields.count > 38 ? Int(fields[38]) : nil
        }
    }

    /// Over io_uring: while requests flow the threads that serve them are under SCHED_IDLE, and a moment later none is.
    @Test func paced() throws {
        guard let before = try? Self.setting(), sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 else { return }
        guard (try? Self.set([0x59])) != nil else { return }
        defer { try? Self.set(before) }
        var options = SessionOptions()
        options.transport = .ring
        _ = try withMount(MemoryFileSystem(), options) { (root, session) throws in
            guard session.connection?.agreed.contains(.ioUring) == true else { return }
            func isLowered() throws -> Bool { try Self.policies().contains(5) }
            // Another process may want the processor just now: hence several times.
            func flows() throws -> Bool {
                let limit = Clock.monotonic + 10_000_000_000
                while Clock.monotonic < limit {
                    for i in 0..<500 { FileName("none\(i)").withRef { _ = try? root.status($0) } }
                    if try isLowered() { return true }
                }
                return false
            }
            func settles() throws -> Bool {
                for _ in 0..<200 {
                    if try !isLowered() { return true }
                    usleep(5000)
                }
                return false
            }
            #expect(try isLowered() == false)
            for _ in 0..<3 {
                #expect(try flows())
                #expect(try settles())
                usleep(200_000)
                #expect(try isLowered() == false)
            }
            // The mount goes while they are lowered.
            #expect(try flows())
        }
        #expect(try Self.policies().contains(5) == false)
    }

    /// How many threads of this process run on one processor alone, of several.
    private static func pinned() throws -> Int {
        let tasks = try FD.currentDirectory.openDirectory(NameRef("/proc/self/task"))
        var count = 0
        var reader = DirectoryReader(tasks.fd)
        try reader.forEach { (name, _, _) throws(Errno) in
            let file = try tasks.fd.open(FileName("\(name.owned)/status"), O_RDONLY)
            for line in try file.fd.readAll().split(separator: UInt8(ascii: "\n"))
            where line.starts(with: "Cpus_allowed_list:".utf8) {
                if !line.contains(UInt8(ascii: "-")), !line.contains(UInt8(ascii: ",")) { count += 1 }
            }
            return true
        }
        return count
    }

    /// From /dev/fuse: while one caller's requests flow all threads are on one processor, and a moment later none is.
    @Test func followed() throws {
        guard sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1, try Self.pinned() == 0 else { return }
        var options = SessionOptions()
        options.transport = .device
        options.threads = 4
        _ = try withMount(MemoryFileSystem(), options) { (root, session) throws in
            func flows() throws -> Bool {
                let limit = Clock.monotonic + 10_000_000_000
                while Clock.monotonic < limit {
                    for i in 0..<500 { FileName("none\(i)").withRef { _ = try? root.status($0) } }
                    // Beside the four the watchdog, where there are two processors.
                    if try Self.pinned() >= 4, try Self.policies().count(where: { $0 == 5 }) == 4 { return true }
                }
                return false
            }
            func settles() throws -> Bool {
                for _ in 0..<200 {
                    if try Self.pinned() == 0, try !Self.policies().contains(5) { return true }
                    usleep(5000)
                }
                return false
            }
            for _ in 0..<3 {
                #expect(try flows())
                #expect(try settles())
            }
            #expect(try flows())
        }
        #expect(try Self.policies().contains(5) == false)
        #expect(try Self.pinned() == 0)
    }
}
