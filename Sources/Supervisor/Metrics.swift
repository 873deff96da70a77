internal import Containers
internal import LayerStore
internal import LinuxSys
internal import MountState

/// What Prometheus reads: its text format, version 0.0.4. Labels are the container's name and what is said with each.
struct Metrics {
    private let supervisor: Supervisor
    init(_ supervisor: Supervisor) { self.supervisor = supervisor }

    func text() throws -> String {
        var out = Exposition()
        out.family("unionfsd_containers", "gauge", "Containers of the store, by state.")
        let containers = try supervisor.store.containers()
        var states: [ContainerEngine.State: Int] = [.started: 0, .stopped: 0, .failed: 0]
        let overview = try supervisor.engine.look()
        for container in containers { states[supervisor.engine.state(container, in: overview).state, default: 0] += 1 }
        for (state, count) in states.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            out.sample("unionfsd_containers", [("state", state.rawValue)], Int64(count))
        }
        let images = try supervisor.store.images()
        out.family("unionfsd_images", "gauge", "Images of the store.")
        out.sample("unionfsd_images", [], Int64(images.count))

        var read: [(name: String, id: String, snapshot: StatisticsSnapshot)] = []
        let mounts = Dictionary(
            ((try? MountRegistry.list(in: supervisor.store.mountDirectory)) ?? []).map { ($0.record.mountpoint, $0) },
            uniquingKeysWith: { _, last in last })
        for container in containers {
            guard let mount = mounts[supervisor.store.place(of: container).merged],
                let snapshot = try? MountRegistry.statistics(of: mount)
            else { continue }
            read.append((container.name, container.id, snapshot))
        }
        out.family("unionfsd_writable_bytes", "gauge", "What a container's writable layer takes on the disk.")
        for container in containers {
            // One that is removed this moment has none.
            if let bytes = try? supervisor.engine.bytes(container) {
                out.sample("unionfsd_writable_bytes", [("container", container.name)], bytes)
            }
        }
        out.family(
            "unionfsd_copy_ups_total", "counter", "Objects copied from an image's layer to the writable one, by cause.")
        for entry in read {
            for cause in CopyUpCause.allCases where entry.snapshot.copyUps(cause) > 0 {
                out.sample(
                    "unionfsd_copy_ups_total", [("container", entry.name), ("cause", cause.name)],
                    Int64(clamping: entry.snapshot.copyUps(cause)))
            }
        }
        func counter(_ name: String, _ help: String, _ value: (StatisticsSnapshot) -> UInt64) {
            out.family(name, "counter", help)
            for entry in read { out.sample(name, [("container", entry.name)], Int64(clamping: value(entry.snapshot))) }
        }
        counter("unionfsd_copy_up_bytes_total", "File data copied up.") { $0.copiedBytes }
        counter("unionfsd_copy_up_failures_total", "Copy-ups that failed.") { $0.copyUpFailures }
        counter("unionfsd_requests_total", "Requests of the kernel that were answered.") { $0.requestCount }
        counter("unionfsd_restarts_total", "Processes that took a mount over from one that died.") {
            UInt64(clamping: $0.gauge(.restarts))
        }
        out.family("unionfsd_request_seconds", "summary", "How long requests took, by kind.")
        for entry in read {
            for request in entry.snapshot.requests {
                let labels = [("container", entry.name), ("request", request.name)]
                for quantile in [0.5, 0.9, 0.99] {
                    out.sample(
                        "unionfsd_request_seconds", labels + [("quantile", "\(quantile)")],
                        seconds: request.times.percentile(quantile))
                }
                out.sample("unionfsd_request_seconds_sum", labels, seconds: request.times.totalNanoseconds)
                out.sample("unionfsd_request_seconds_count", labels, Int64(clamping: request.times.count))
            }
        }
        return out.text
    }
}

private struct Exposition {
    private(set) var text = ""
    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }
    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Int64) {
        line(name, labels, "\(value)")
    }
    mutating func sample(_ name: String, _ labels: [(String, String)], seconds nanoseconds: UInt64) {
        line(name, labels, "\(Double(nanoseconds) / 1e9)")
    }
    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
        let inside = labels.map { label in
            let escaped = label.1.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "\(label.0)=\"\(escaped.replacing("\n", with: "\\n"))\""
        }.joined(separator: ",")
        text += name + (labels.isEmpty ? "" : "{\(inside)}") + " \(value)\n"
    }
}
