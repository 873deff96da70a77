internal import LinuxSys
internal import MountState

/// The statistics for people.
enum StatsText {
    /// `since`: an earlier look, `seconds` ago, for rates.
    static func report(
        _ mount: RegisteredMount, _ s: StatisticsSnapshot, since: StatisticsSnapshot?, seconds: Int
    ) -> String {
        let up = Units.age(seconds: Clock.realtime - s.start)
        var lines = [
            "\(mount.record.mountpoint)   "
                + (mount.state == .alive
                    ? "process \(s.pid), up \(up)" : "dead; was process \(s.pid), begun \(up) ago"),
            "",
        ]
        lines += copyUps(s)
        lines.append("whiteouts   \(Units.count(s.whiteouts)) made")
        lines.append(
            "now         "
                + Gauge.allCases.map {
                    "\(Units.count(s.gauge($0))) \($0.name.split(separator: "_").joined(separator: " "))"
                }.joined(separator: ", "))
        // What is younger is at work.
        if mount.state == .alive, let age = s.oldestRequest, age >= 1_000_000_000 {
            lines.append("oldest request \(age / 1_000_000_000) s")
        }
        lines.append("")
        lines += requests(s, since, seconds)
        return lines.joined(separator: "\n")
    }

    private static func copyUps(_ s: StatisticsSnapshot) -> [String] {
        guard s.copyUps + s.copyUpFailures > 0 else { return ["copy-ups    none"] }
        func listed(_ items: [(String, UInt64)]) -> String {
            let shown = items.filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }.map { "\($0.0) \(Units.count($0.1))" }
            return shown.isEmpty ? "none" : shown.joined(separator: ", ")
        }
        var lines = ["copy-ups    \(Units.count(s.copyUps)), \(Units.bytes(s.copiedBytes)) copied"]
        if s.copyUps(.reflinkedFile) > 0 { lines[0] += ", \(Units.bytes(s.reflinkedBytes)) shared by reflink" }
        if s.copyUpFailures > 0 {
            lines[0] +=
                """
                , \(Units.count(s.copyUpFailures)) failed \
                (\(listed(CopyUpCause.allCases.map { ($0.name, s.copyUpFailures($0)) })))
                """
        }
        lines.append("  why       " + listed(CopyUpCause.allCases.map { ($0.name, s.copyUps($0)) }))
        lines.append(
            "  what      "
                + listed([
                    ("files", s.copiedFiles), ("of them reflinked", s.copyUps(.reflinkedFile)),
                    ("of them metadata only", s.copyUps(.metadataOnlyFile)),
                    ("directories", s.copyUps(.directory)), ("symlinks", s.copyUps(.symlink)),
                    ("special files", s.copyUps(.special)),
                ]))
        let t = s.copyUpTimes
        if t.count > 0 {
            lines.append(
                """
                  time      half within \(Units.time(nanoseconds: t.percentile(0.5))), 99% within \
                \(Units.time(nanoseconds: t.percentile(0.99))), longest \
                \(Units.time(nanoseconds: t.maximumNanoseconds)), together \
                \(Units.time(nanoseconds: t.totalNanoseconds))
                """
            )
            lines += histogram(t).map { "            " + $0 }
        }
        return lines
    }

    /// One bar for each power of ten, from the first to the last that occurred.
    private static func histogram(_ t: TimeSummary) -> [String] {
        let rows = t.decades
        guard let first = rows.firstIndex(where: { $0.count > 0 }), let last = rows.lastIndex(where: { $0.count > 0 })
        else { return [] }
        let most = rows.map(\.count).max() ?? 1
        var table = Table()
        for row in rows[first...last] {
            let label = row.upToMicroseconds.map { "up to \(Units.time(nanoseconds: $0 * 1000))" } ?? "longer"
            let bar = row.count == 0 ? 0 : max(Int(Double(row.count) / Double(most) * 30), 1)
            table.add([
                label, Units.count(row.count),
                String(repeating: "█", count: bar) + String(repeating: " ", count: 30 - bar),
            ])
        }
        return table.lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    }

    private static func requests(_ s: StatisticsSnapshot, _ since: StatisticsSnapshot?, _ seconds: Int) -> [String] {
        var table = Table()
        table.add(
            ["requests", "count"] + (since == nil ? [] : ["per s"]) + ["errors", "p50", "p99", "longest", "together"])
        for r in s.requests.sorted(by: { $0.times.count > $1.times.count }) {
            let before = since?.requests.first { $0.opcode == r.opcode }?.times.count ?? 0
            table.add(
                [r.name, Units.count(r.times.count)]
                    + (since == nil ? [] : [Units.count((r.times.count &- before) / UInt64(max(seconds, 1)))])
                    + [
                        r.errors == 0 ? "-" : Units.count(r.errors), Units.time(nanoseconds: r.times.percentile(0.5)),
                        Units.time(nanoseconds: r.times.percentile(0.99)),
                        Units.time(nanoseconds: r.times.maximumNanoseconds),
                        Units.time(nanoseconds: r.times.totalNanoseconds),
                    ])
        }
        return table.lines
    }
}
