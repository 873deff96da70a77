import LinuxSys
import Testing

@testable import MountState

struct StatisticsTests {
    @Test func requestsAreCountedByOpcode() throws {
        let statistics = try MountStatistics()
        for n in 1...100 { statistics.recordRequest(opcode: 1, nanoseconds: UInt64(n) * 1000, failed: n % 10 == 0) }
        statistics.recordRequest(opcode: 14, nanoseconds: 5, failed: false)
        statistics.recordRequest(opcode: 4096, nanoseconds: 5, failed: false)
        let s = try statistics.snapshot()
        #expect(s.requests.map(\.name) == ["OTHER", "LOOKUP", "OPEN"])
        #expect(s.requestCount == 102)
        let lookup = try #require(s.requests.first { $0.opcode == 1 })
        #expect(lookup.times.count == 100 && lookup.errors == 10)
        #expect(lookup.times.totalNanoseconds == 5_050_000 && lookup.times.maximumNanoseconds == 100_000)
        #expect(s.pid == Process.id)
    }

    @Test func anotherProgramGoesOnCounting() throws {
        let file = try SharedMemory.anonymousFile(name: "statistics")
        let first = try MountStatistics(file: try file.fd.duplicate())
        first.recordWhiteout()
        let second = try MountStatistics(adopting: try file.fd.duplicate())
        second.recordWhiteout()
        #expect(try first.snapshot().whiteouts == 2)
        // One that counts otherwise.
        try file.fd.truncate(0)
        try file.fd.truncate(Int64(StatisticsLayout.bytes))
        #expect(throws: Errno.protocolNotSupported) { _ = try MountStatistics(adopting: try file.fd.duplicate()) }
    }

    /// Against the true percentiles of the same times.
    @Test func percentilesAreRightToAnEighth() throws {
        let statistics = try MountStatistics()
        var generator = SystemRandomNumberGenerator()
        var times: [UInt64] = []
        for _ in 0..<20000 {
            let time =
                UInt64(1) << UInt64.random(in: 7...33, using: &generator)
                + UInt64.random(in: 0...1000, using: &generator)
            times.append(time)
            statistics.recordRequest(opcode: 3, nanoseconds: time, failed: false)
        }
        times.sort()
        let summary = try #require(try statistics.snapshot().requests.first?.times)
        for share in [0.01, 0.5, 0.9, 0.99, 1] {
            let exact = Double(times[min(Int(share * 20000), 19999)])
            let measured = Double(summary.percentile(share))
            #expect(abs(measured - exact) <= exact * 0.26, "\(share): \(measured) for \(exact)")
        }
    }

    @Test func bucketsFollowOneAnother() {
        var last = -1
        for bucket in 0..<StatisticsLayout.bucketCount {
            let low = Histogram.lowerBound(bucket)
            #expect(Histogram.bucket(low) == bucket)
            if bucket > 0 { #expect(Histogram.bucket(low - 1) == bucket - 1) }
            #expect(Int(low) > last)
            last = Int(low)
        }
        #expect(Histogram.bucket(0) == 0 && Histogram.bucket(UInt64.max) == StatisticsLayout.bucketCount - 1)
    }

    @Test func copyUps() throws {
        let statistics = try MountStatistics()
        statistics.recordCopyUp(cause: .chmod, kind: .file, bytes: 1000, nanoseconds: 2_000_000)
        statistics.recordCopyUp(cause: .openWrite, kind: .reflinkedFile, bytes: 500, nanoseconds: 1000)
        statistics.recordCopyUp(cause: .chown, kind: .metadataOnlyFile, bytes: 0, nanoseconds: 1000)
        statistics.recordCopyUp(cause: .parent, kind: .directory, bytes: 0, nanoseconds: 1000)
        statistics.recordCopyUpFailure(cause: .rename)
        statistics.recordWhiteout()
        let s = try statistics.snapshot()
        #expect(s.copyUps == 4 && s.copiedFiles == 3 && s.copyUpFailures == 1 && s.whiteouts == 1)
        #expect(s.copiedBytes == 1000 && s.reflinkedBytes == 500)
        #expect(s.copyUps(.chmod) == 1 && s.copyUps(CopyUpCause.link) == 0 && s.copyUpFailures(.rename) == 1)
        #expect(s.copyUps(.metadataOnlyFile) == 1 && s.copyUps(CopyUpKind.directory) == 1)
        #expect(s.copyUpTimes.count == 4)
        let decades = s.copyUpTimes.decades.filter { $0.count > 0 }
        #expect(decades.map(\.count) == [3, 1] && decades.map(\.upToMicroseconds) == [1, 10000])
    }

    @Test func gaugesGoUpAndDown() throws {
        let statistics = try MountStatistics()
        statistics.addGauge(.openFiles, 3)
        statistics.addGauge(.openFiles, -5)
        statistics.setGauge(.inodes, 1_000_000)
        let s = try statistics.snapshot()
        #expect(s.gauge(.openFiles) == -2 && s.gauge(.inodes) == 1_000_000)
    }

    /// The places are an interface between builds.
    @Test func layoutStaysAsItIs() {
        #expect(StatisticsLayout.bytes == 71680 && StatisticsLayout.version == 1)
        #expect(CopyUpCause.allCases.map(\.rawValue) == Array(0...15))
        #expect(CopyUpKind.allCases.map(\.rawValue) == Array(0...5))
        #expect(Gauge.allCases.map(\.rawValue) == Array(0...11))
        #expect(Set(CopyUpCause.allCases.map(\.name)).count == 16)
        #expect(CopyUpCause.openWrite.name == "open_write")
    }

    @Test func manyThreadsLoseNothing() throws {
        let statistics = try MountStatistics()
        let threads = 4
        let each = 20000
        var running: [JoinBox] = []
        for _ in 0..<threads {
            running.append(
                JoinBox(
                    try Thread {
                        for i in 0..<each {
                            statistics.recordRequest(opcode: 15, nanoseconds: UInt64(i), failed: i % 2 == 0)
                            statistics.addGauge(.openFiles, i % 2 == 0 ? 1 : -1)
                        }
                    }))
        }
        for thread in running { thread.join() }
        let s = try statistics.snapshot()
        #expect(s.requestCount == UInt64(threads * each))
        #expect(s.requests.first?.errors == UInt64(threads * each / 2))
        #expect(s.gauge(.openFiles) == 0)
    }
    /// A thread handle that an array can hold.
    private final class JoinBox {
        private var thread: Thread?
        init(_ thread: consuming Thread) { self.thread = consume thread }
        func join() { thread.take()?.join() }
    }

    @Test func strangeFilesAreErrors() throws {
        let short = try SharedMemory.anonymousFile(name: "short")
        #expect(throws: StatisticsError.notStatistics) { try StatisticsSnapshot(reading: short.fd) }
        try short.fd.truncate(Int64(StatisticsLayout.bytes))
        #expect(throws: StatisticsError.notStatistics) { try StatisticsSnapshot(reading: short.fd) }
        var words = [UInt8](repeating: 0xff, count: StatisticsLayout.bytes)
        for i in 0..<8 { words[i] = UInt8(truncatingIfNeeded: StatisticsLayout.magic >> UInt64(8 * i)) }
        try words.withLent { bytes in _ = try short.fd.write(bytes, at: 0) }
        #expect(throws: StatisticsError.otherVersion(UInt64.max)) { try StatisticsSnapshot(reading: short.fd) }
        // The right version, and every counter at its highest: nothing traps.
        for i in 8..<16 { words[i] = i == 8 ? 1 : 0 }
        try words.withLent { bytes in _ = try short.fd.write(bytes, at: 0) }
        let s = try StatisticsSnapshot(reading: short.fd)
        for request in s.requests {
            _ = (request.times.percentile(0.5), request.times.percentile(1), request.times.meanNanoseconds)
        }
        _ = (s.copyUpTimes.decades.count, s.copiedFiles, s.requestCount)
        #expect(throws: StatisticsError.notReadable(.badDescriptor)) { try StatisticsSnapshot(reading: FD(raw: 9999)) }
    }
}
