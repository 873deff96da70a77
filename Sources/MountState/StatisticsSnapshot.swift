public import LinuxSys

public enum StatisticsError: Error, Sendable, Equatable {
    case notReadable(Errno)
    /// Not a statistics file, or one cut short.
    case notStatistics
    /// Of a build that counts otherwise.
    case otherVersion(UInt64)
}

/// Times of one kind of event: how many, how long together, and where they lie.
public struct TimeSummary: Sendable, Equatable {
    public internal(set) var count: UInt64 = 0
    public internal(set) var totalNanoseconds: UInt64 = 0
    public internal(set) var maximumNanoseconds: UInt64 = 0
    public internal(set) var buckets: [UInt64] = []

    /// The time below which this share (0…1) of the events lies, from within its bucket; 0 where there were none.
    public func percentile(_ share: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let wanted = share * Double(count)
        var seen: UInt64 = 0
        for (i, n) in buckets.enumerated() where n > 0 {
            if Double(seen &+ n) >= wanted {
                let low = Double(Histogram.lowerBound(i))
                let high = i + 1 < buckets.count ? Double(Histogram.lowerBound(i + 1)) : Double(maximumNanoseconds)
                let within = min(max((wanted - Double(seen)) / Double(n), 0), 1)
                let value = low + max(high - low, 0) * within
                return min(UInt64(min(value, 9e18)), max(maximumNanoseconds, 1))
            }
            seen &+= n
        }
        return maximumNanoseconds
    }
    public var meanNanoseconds: UInt64 { count == 0 ? 0 : totalNanoseconds / count }

    /// For drawing: the events up to each power of ten of a microsecond, `1 µs, 10 µs, … 10 s`, and beyond.
    public var decades: [(upToMicroseconds: UInt64?, count: UInt64)] {
        var rows: [(upToMicroseconds: UInt64?, count: UInt64)] = []
        var limit: UInt64 = 1
        while limit <= 10_000_000 {
            rows.append((limit, 0))
            limit *= 10
        }
        rows.append((nil, 0))
        for (i, n) in buckets.enumerated() where n > 0 {
            let at = Histogram.lowerBound(i)
            let row = rows.firstIndex { at < ($0.upToMicroseconds ?? UInt64.max / 1000) * 1000 } ?? rows.count - 1
            rows[row].count &+= n
        }
        return rows
    }
}

public struct RequestSummary: Sendable, Equatable {
    public internal(set) var opcode: UInt32
    public internal(set) var errors: UInt64
    public internal(set) var times: TimeSummary
    public var name: String { RequestName.of(opcode) }
}

/// One reading of a statistics file. read(2) and not mmap: it sees the same pages, and a file cut short under us is a
/// short read and no SIGBUS. Words are read one after another, so that numbers may be some requests apart.
public struct StatisticsSnapshot: Sendable {
    public private(set) var pid: Int32
    /// Seconds since 1970.
    public private(set) var start: Int64
    public private(set) var whiteouts: UInt64
    private let gauges: [Int64]
    private let causes: [UInt64]
    private let failures: [UInt64]
    private let kinds: [UInt64]
    /// File data that was copied, and that is shared by reflink.
    public private(set) var copiedBytes: UInt64
    public private(set) var reflinkedBytes: UInt64
    public private(set) var copyUpTimes: TimeSummary
    /// Those opcodes that occurred.
    public private(set) var requests: [RequestSummary]
    /// For how long the oldest of the requests that were in progress then had been there, in nanoseconds; nil: there
    /// was none.
    public private(set) var oldestRequest: UInt64?

    public init(reading file: FD) throws(StatisticsError) {
        var bytes = [UInt8](repeating: 0, count: StatisticsLayout.bytes)
        var filled = 0
        do throws(Errno) {
            while filled < bytes.count {
                let at = filled
                let n = try bytes.withLentMutable { (b) throws(Errno) in
                    try file.read(into: b.dropping(at), at: Int64(at))
                }
                if n == 0 { break }
                filled += n
            }
        } catch { throw .notReadable(error) }
        let words = Words(bytes: bytes)
        guard filled >= StatisticsLayout.leastBytes, words[StatisticsLayout.magicWord] == StatisticsLayout.magic else {
            throw .notStatistics
        }
        guard words[StatisticsLayout.versionWord] == StatisticsLayout.version else {
            throw .otherVersion(words[StatisticsLayout.versionWord])
        }
        pid = Int32(truncatingIfNeeded: words[StatisticsLayout.pidWord])
        start = Int64(bitPattern: words[StatisticsLayout.startWord])
        whiteouts = words[StatisticsLayout.whiteoutsWord]
        gauges = Gauge.allCases.map { Int64(bitPattern: words[StatisticsLayout.gaugesWord + Int($0.rawValue)]) }
        causes = CopyUpCause.allCases.map { words[StatisticsLayout.causesWord + Int($0.rawValue)] }
        failures = CopyUpCause.allCases.map { words[StatisticsLayout.failuresWord + Int($0.rawValue)] }
        kinds = CopyUpKind.allCases.map { words[StatisticsLayout.kindsWord + Int($0.rawValue)] }
        copiedBytes = words[StatisticsLayout.copiedBytesWord]
        reflinkedBytes = words[StatisticsLayout.reflinkedBytesWord]
        copyUpTimes = words.times(StatisticsLayout.copyUpHistogram)
        let now = Clock.monotonic
        let since = (0..<StatisticsLayout.inProgress).map { words[StatisticsLayout.inProgressWord + $0] }.filter {
            $0 != 0 && $0 <= now
        }.min()
        oldestRequest = since.map { now - $0 }
        requests = []
        for opcode in 0..<StatisticsLayout.opcodes {
            let block = StatisticsLayout.requestsWord + opcode * StatisticsLayout.blockWords
            let times = words.times(block)
            if times.count == 0 { continue }
            requests.append(
                RequestSummary(opcode: UInt32(opcode), errors: words[block + StatisticsLayout.errors], times: times))
        }
    }

    public func gauge(_ gauge: Gauge) -> Int64 { gauges[Int(gauge.rawValue)] }
    public func copyUps(_ cause: CopyUpCause) -> UInt64 { causes[Int(cause.rawValue)] }
    public func copyUpFailures(_ cause: CopyUpCause) -> UInt64 { failures[Int(cause.rawValue)] }
    public func copyUps(_ kind: CopyUpKind) -> UInt64 { kinds[Int(kind.rawValue)] }
    public var copyUps: UInt64 { causes.reduce(0, &+) }
    public var copyUpFailures: UInt64 { failures.reduce(0, &+) }
    /// Regular files, however they were copied.
    public var copiedFiles: UInt64 { CopyUpKind.allCases.filter(\.isFile).reduce(0) { $0 &+ copyUps($1) } }
    public var requestCount: UInt64 { requests.reduce(0) { $0 &+ $1.times.count } }
}

private struct Words {
    let bytes: [UInt8]
    subscript(word: Int) -> UInt64 {
        let at = word * 8
        guard at >= 0, at + 8 <= bytes.count else { return 0 }
        var value: UInt64 = 0
        for i in 0..<8 { value |= UInt64(bytes[at + i]) << UInt64(8 * i) }
        return value
    }
    func times(_ block: Int) -> TimeSummary {
        var t = TimeSummary()
        t.buckets = (0..<StatisticsLayout.bucketCount).map { self[block + StatisticsLayout.buckets + $0] }
        t.count = t.buckets.reduce(0, &+)
        t.totalNanoseconds = self[block + StatisticsLayout.totalNanoseconds]
        t.maximumNanoseconds = self[block + StatisticsLayout.maximum]
        return t
    }
}
