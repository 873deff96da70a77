/// The statistics file: little-endian 64-bit words at fixed places, so that a reader of another build, or a person with
/// od(1), can make sense of the file of a process that is busy, stuck or dead. Numbers only grow, but for the gauges.
///
///     word 0      header         magic, version, bytes of the file, pid, start, …
///     word 64     whiteouts
///     word 96     gauges         32
///     word 128    copy-ups       by cause 32 (failed 32 behind them), by kind 16, totals 16
///     word 256    copy-up times  one histogram
///     word 512    requests       64 blocks of 128 words, one for each FUSE opcode
///     word 8704   in progress    256 threads: since when (CLOCK_MONOTONIC) each has its request; 0: it has none
///
/// A place is never given another meaning; what changes the meaning raises `version`.
enum StatisticsLayout {
    /// "unionfsd" as little-endian bytes.
    static let magic: UInt64 = 0x6473_666e_6f69_6e75
    static let version: UInt64 = 1

    static let magicWord = 0
    static let versionWord = 1
    static let sizeWord = 2
    static let pidWord = 3
    /// Seconds since 1970.
    static let startWord = 4

    static let whiteoutsWord = 64
    static let gaugesWord = 96

    static let causesWord = 128
    static let failuresWord = 160
    static let kindsWord = 192
    static let copiedBytesWord = 208
    static let reflinkedBytesWord = 209
    static let copyUpHistogram = 256

    static let requestsWord = 512
    static let opcodes = 64
    static let blockWords = 128

    static let inProgressWord = requestsWord + opcodes * blockWords
    static let inProgress = 256

    static let words = inProgressWord + inProgress
    /// Files of before there was anything in progress end here.
    static let leastBytes = inProgressWord * 8
    static let bytes = words * 8

    // A block: three totals, then the histogram, whose buckets together are the count.
    static let totalNanoseconds = 0
    static let errors = 1
    static let maximum = 2
    static let buckets = 6
    static let bucketCount = 122
}

/// Buckets whose width is a quarter of the power of two they lie in: 64 ns to 68 s, a percentile is right to an eighth.
enum Histogram {
    @inline(__always)
    static func bucket(_ nanoseconds: UInt64) -> Int {
        if nanoseconds < 64 { return 0 }
        let exponent = 63 - nanoseconds.leadingZeroBitCount
        if exponent >= 36 { return StatisticsLayout.bucketCount - 1 }
        return 1 + (exponent - 6) * 4 + Int((nanoseconds >> UInt64(exponent - 2)) & 3)
    }

    /// The smallest value of a bucket.
    static func lowerBound(_ bucket: Int) -> UInt64 {
        if bucket <= 0 { return 0 }
        let step = min(bucket, StatisticsLayout.bucketCount - 1) - 1
        return (4 + UInt64(step % 4)) << UInt64(step / 4 + 4)
    }
}
