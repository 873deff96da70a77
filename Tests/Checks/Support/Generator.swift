/// xoshiro256** seeded by splitmix64 (both public domain, Blackman and Vigna). Never the system's generator: a seed
/// must replay a run exactly.
struct Random: Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init(seed: UInt64) {
        state = (mix(seed), mix(seed &+ 1), mix(seed &+ 2), mix(seed &+ 3))
    }

    mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let t = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= t
        state.3 = rotate(state.3, 45)
        return result
    }

    /// Uniform enough for tests: the bias of the modulo is below 2^-40 for the ranges used here.
    mutating func below(_ limit: Int) -> Int { Int(next() >> 1) % limit }
    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<T>(_ items: [T]) -> T { items[below(items.count)] }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count + 8)
        while out.count < count {
            let word = next()
            for shift in 0..<8 { out.append(UInt8(truncatingIfNeeded: word >> (8 * UInt64(shift)))) }
        }
        out.removeLast(out.count - count)
        return out
    }
}
