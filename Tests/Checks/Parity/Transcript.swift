import CShims
import Glibc

/// What one run of a case wrote, and how its process ended.
struct Transcript {
    struct Line: Equatable {
        var label: String
        var value: String
    }

    private(set) var lines: [Line] = []
    private(set) var tree: [Line] = []
    private(set) var end = "exit 0"

    /// How long a case may be silent before it is taken for hung.
    private static let patience: Int32 = 60_000

    /// Runs a case in a process of its own, in the directory `place`.
    static func of(_ test: Case, in place: Name, setup: Bool, window: TimeWindow) -> Transcript {
        let pipe = Sys.pipe()
        guard pipe.0 >= 0 else { return Transcript(end: "pipe \(show(pipe.0))") }
        let pid = Sys.fork()
        if pid == 0 {
            // A group of its own: with a hung case its children are killed too.
            setpgid(0, 0)
            Sys.close(pipe.read)
            let scene = Scene(output: pipe.write, window: window)
            scene.make.must("chdir \(place)", Sys.chdir(place))
            // The case's own directory may be left or shut by the case.
            let here = Sys.open(".", O_PATH | O_DIRECTORY)
            if setup { test.setup(scene.make) }
            test.body(scene)
            scene.make.must("return to \(place)", Sys.fchdir(Int32(here)))
            scene.tree()
            exit(0)
        }
        Sys.close(pipe.write)
        defer { Sys.close(pipe.read) }
        guard pid > 0 else { return Transcript(end: "fork \(show(pid))") }
        var text: [UInt8] = []
        var hung = false
        while true {
            if cs_poll_in(pipe.read, patience) == 0 {
                hung = true
                _ = cs_kill(Int32(-pid), SIGKILL)
            }
            let (result, bytes) = Sys.read(pipe.read, 65536)
            if result <= 0 { break }
            text += bytes
        }
        let status = Sys.wait(Int32(pid))
        return Transcript(text: text, end: hung ? "hung" : status >= 256 ? "signal \(status - 256)" : "exit \(status)")
    }

    private init(end: String) { self.end = end }

    private init(text: [UInt8], end: String) {
        self.end = end
        for line in text.split(separator: 0x0a) {
            let parts = line.split(separator: 0x09, maxSplits: 1, omittingEmptySubsequences: false)
            let label = String(decoding: parts[0], as: UTF8.self)
            let value = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
            if label.hasPrefix("tree ") {
                tree.append(Line(label: label, value: value))
            } else {
                lines.append(Line(label: label, value: value))
            }
        }
    }

    struct Difference {
        var label: String
        var native: String
        var mount: String
    }

    /// Compares with the run on the mount: how many lines agree, and which do not.
    func compared(with mount: Transcript) -> (same: Int, differences: [Difference]) {
        var same = 0
        var differences: [Difference] = []
        func compare(_ label: String, _ native: String, _ mounted: String) {
            if native == mounted {
                same += 1
            } else {
                differences.append(Difference(label: label, native: native, mount: mounted))
            }
        }
        for (a, b) in zip(lines, mount.lines) {
            guard a.label == b.label else {
                // From here on the two runs went different ways, and the lines have nothing to do with each other.
                compare("(goes on differently)", a.label, b.label)
                break
            }
            compare(a.label, a.value, b.value)
        }
        if lines.count != mount.lines.count { compare("(number of results)", "\(lines.count)", "\(mount.lines.count)") }
        compare("(end)", end, mount.end)

        let theirs = Dictionary(mount.tree.map { ($0.label, $0.value) }) { first, _ in first }
        for line in tree { compare(line.label, line.value, theirs[line.label] ?? "missing") }
        let ours = Set(tree.map(\.label))
        for line in mount.tree where !ours.contains(line.label) { compare(line.label, "missing", line.value) }
        return (same, differences)
    }
}
