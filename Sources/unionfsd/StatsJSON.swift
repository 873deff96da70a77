internal import LinuxSys
internal import MountState

/// The statistics for programs. Names here are an interface: one may be added, none changed.
enum StatsJSON {
    static func object(_ mount: RegisteredMount, _ s: StatisticsSnapshot) -> JSON {
        var members: [(String, JSON)] = [
            ("mountpoint", .string(mount.record.mountpoint.description)),
            ("state", .string(mount.state == .alive ? "alive" : "dead")),
            ("pid", .int(Int64(s.pid))),
            ("start", .int(s.start)),
            ("copy_ups", copyUps(s)),
            ("whiteouts", .uint(s.whiteouts)),
            ("requests", .object(s.requests.map { ($0.name, request($0)) })),
        ]
        if let size = StatsTable.size(mount) { members.append(("writable_bytes", .uint(size))) }
        members.append(
            ("oldest_request_us", mount.state == .alive ? s.oldestRequest.map { .uint($0 / 1000) } ?? .null : .null))
        for gauge in Gauge.allCases { members.append((gauge.name, .int(s.gauge(gauge)))) }
        return .object(members)
    }

    private static func copyUps(_ s: StatisticsSnapshot) -> JSON {
        .object([
            ("total", .uint(s.copyUps)),
            ("failed", .uint(s.copyUpFailures)),
            ("by_cause", .object(CopyUpCause.allCases.map { ($0.name, .uint(s.copyUps($0))) })),
            (
                "failed_by_cause",
                .object(
                    CopyUpCause.allCases.filter { s.copyUpFailures($0) > 0 }.map {
                        ($0.name, .uint(s.copyUpFailures($0)))
                    })
            ),
            ("files", .uint(s.copiedFiles)),
            ("directories", .uint(s.copyUps(.directory))),
            ("symlinks", .uint(s.copyUps(.symlink))),
            ("special", .uint(s.copyUps(.special))),
            ("bytes", .uint(s.copiedBytes)),
            ("reflinked", .uint(s.copyUps(.reflinkedFile))),
            ("reflinked_bytes", .uint(s.reflinkedBytes)),
            ("metadata_only", .uint(s.copyUps(.metadataOnlyFile))),
            ("time_us", .object(times(s.copyUpTimes) + [("histogram", histogram(s.copyUpTimes))])),
        ])
    }

    private static func request(_ r: RequestSummary) -> JSON {
        .object([("count", .uint(r.times.count)), ("errors", .uint(r.errors))] + times(r.times, suffix: "_us"))
    }

    /// Whole microseconds, rounded up, so that what took any time at all is not 0.
    private static func times(_ t: TimeSummary, suffix: String = "") -> [(String, JSON)] {
        func us(_ n: UInt64) -> JSON { .uint(n / 1000 + (n % 1000 == 0 ? 0 : 1)) }
        return [
            ("p50\(suffix)", us(t.percentile(0.5))), ("p90\(suffix)", us(t.percentile(0.9))),
            ("p99\(suffix)", us(t.percentile(0.99))),
            ("max\(suffix)", us(t.maximumNanoseconds)), ("mean\(suffix)", us(t.meanNanoseconds)),
            ("total\(suffix)", us(t.totalNanoseconds)),
        ]
    }

    private static func histogram(_ t: TimeSummary) -> JSON {
        .array(
            t.decades.map { row in
                .object([("up_to", row.upToMicroseconds.map { .uint($0) } ?? .null), ("count", .uint(row.count))])
            })
    }
}
