import LinuxSys
import Synchronization
import Testing

@testable import UnionCore
@testable import UnionFS

/// The cache of open directories, and their locks.
struct DirectoryTests {
    /// With so many parts, none of them open.
    private func directory(_ parts: Int) -> MergedDirectory {
        let all = (0..<parts).map {
            LayerDirectory(layer: $0, fd: OwnedFD(adopting: -1), markers: DirectoryMarkers(), size: 0)
        }
        return MergedDirectory(parts: all, hasUpper: false)
    }

    @Test func foundAgain() {
        let cache = DirectoryCache(descriptors: 1000)
        let one = directory(2)
        cache.put(5, one)
        #expect(cache.find(5) === one && cache.find(6) == nil && cache.descriptors == 2)
        cache.putIfAbsent(5, directory(3))
        #expect(cache.find(5) === one)
        let other = directory(4)
        cache.put(5, other)
        #expect(cache.find(5) === other && cache.descriptors == 4)
        cache.remove(5)
        cache.remove(5)
        #expect(cache.find(5) == nil && cache.descriptors == 0)
    }
    @Test func theBoundIsKept() {
        let cache = DirectoryCache(descriptors: 160)
        for node in 0..<10_000 as Range<UInt32> {
            cache.put(node, directory(3))
            #expect(cache.find(node) != nil)
        }
        #expect(cache.descriptors <= 16 * 12)
        cache.drain()
        #expect(cache.descriptors == 0)
    }
    @Test func oneThatIsLargerThanTheBound() {
        let cache = DirectoryCache(descriptors: 16)
        let large = directory(500)
        cache.put(3, large)
        #expect(cache.find(3) === large)
        cache.put(19, directory(1))
        cache.drain()
        #expect(cache.descriptors == 0)
    }
    /// A node number is used again and again: what the cache keeps for its order must not grow with it.
    @Test func itsOrderDoesNotGrow() throws {
        let cache = DirectoryCache(descriptors: 1000)
        for _ in 0..<20_000 {
            cache.put(16, directory(1))
            cache.remove(16)
        }
        #expect(cache.descriptors == 0)
        #expect(Self.places(cache) < 100)
    }
    private static func places(_ cache: DirectoryCache) -> Int {
        var count = 0
        for case ("shards"?, let shards) in Mirror(reflecting: cache).children {
            for shard in Mirror(reflecting: shards).children {
                for case ("ring"?, let ring) in Mirror(reflecting: shard.value).children {
                    count += Mirror(reflecting: ring).children.count
                }
            }
        }
        return count
    }
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func randomOperations(_ seed: UInt64) {
        var random = Generator(state: seed)
        let cache = DirectoryCache(descriptors: 64)
        var last: [UInt32: MergedDirectory] = [:]
        for step in 0..<5000 {
            let node = UInt32(1 + random.below(60))
            switch random.below(6) {
            case 0, 1:
                let made = directory(1 + random.below(4))
                cache.put(node, made)
                last[node] = made
                #expect(cache.find(node) === made, "seed \(seed), step \(step)")
            case 2:
                cache.remove(node)
                last[node] = nil
                #expect(cache.find(node) == nil, "seed \(seed), step \(step)")
            case 3 where random.below(50) == 0: cache.drain()
            default:
                // Nothing, or what was put last.
                if let found = cache.find(node) { #expect(found === last[node], "seed \(seed), step \(step)") }
            }
            #expect(cache.descriptors >= 0 && cache.descriptors <= 16 * 8)
        }
        cache.drain()
        #expect(cache.descriptors == 0)
    }
    @Test func descriptorsAreClosedWhenDropped() throws {
        let cache = DirectoryCache(descriptors: 64)
        let fd = try FD.currentDirectory.open("/", OpenFlags.path)
        // A number far from those that other tests open and close.
        let number: Int32 = 900
        try fd.fd.replace(FD(raw: number))
        cache.put(
            1,
            MergedDirectory(
                parts: [LayerDirectory(layer: 0, fd: OwnedFD(adopting: number), markers: DirectoryMarkers(), size: 0)],
                hasUpper: false))
        #expect((try? FD(raw: number).status()) != nil)
        cache.remove(1)
        #expect((try? FD(raw: number).status()) == nil)
    }

    // ---- locks ----

    private final class Counters: @unchecked Sendable {
        var values = [Int](repeating: 0, count: 64)
    }

    /// Numbers that only the locks protect; any two, three or four at once, in any order: no update lost, nobody waits
    /// in a circle.
    @Test func exclusiveMeansExclusive() throws {
        let locks = DirectoryLocks(try unwatched())
        let counters = Counters()
        try inParallel(8) { thread in
            var random = Generator(state: UInt64(thread + 100))
            for _ in 0..<10_000 {
                let nodes = (0..<4).map { _ in UInt32(random.below(64)) }
                switch random.below(3) {
                case 0: try? locks.exclusive(nodes[0]) { () throws(Errno) in counters.values[Int(nodes[0])] += 1 }
                case 1:
                    try? locks.exclusive(nodes[0], nodes[1], nodes[2], nodes[3]) { () throws(Errno) in
                        counters.values[Int(nodes[0])] += 1
                    }
                default:
                    try? locks.exclusive(nodes[0], 0, nodes[1]) { () throws(Errno) in
                        counters.values[Int(nodes[0])] += 1
                    }
                }
            }
        }
        #expect(counters.values.reduce(0, +) == 80_000)
    }
    @Test func sharedTogether() throws {
        let locks = DirectoryLocks(try unwatched())
        let inside = Atomic<Int>(0)
        // Both readers inside at once, or this never ends.
        try inParallel(2) { _ in
            try? locks.shared(7) { () throws(Errno) in
                inside.wrappingAdd(1, ordering: .relaxed)
                while inside.load(ordering: .relaxed) < 2 { Clock.sleep(milliseconds: 1) }
            }
        }
        #expect(inside.load(ordering: .relaxed) == 2)
    }
    @Test func theSameTwiceIsOnce() throws {
        let locks = DirectoryLocks(try unwatched())
        #expect(try locks.exclusive(5, 5, 5, 5) { () throws(Errno) in true })
        #expect(throws: Errno.io) { try locks.exclusive(5, 6) { () throws(Errno) in throw .io } }
        #expect(try locks.exclusive(6, 5) { () throws(Errno) in true })
    }
}
