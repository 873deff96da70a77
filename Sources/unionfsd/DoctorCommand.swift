internal import ArgumentParser
internal import LinuxSys
internal import MountState

/// One thing that was looked at.
struct Finding {
    enum Verdict: String { case good, lacking, bad }
    let topic: String
    let key: String
    let verdict: Verdict
    /// What is there.
    let found: String
    /// What it costs to lack it, and what to do.
    let advice: String?

    init(_ topic: String, _ key: String, _ verdict: Verdict, _ found: String, _ advice: String? = nil) {
        self.topic = topic
        self.key = key
        self.verdict = verdict
        self.found = found
        self.advice = verdict == .good ? nil : advice
    }
}

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Say what this machine offers, and what it costs to lack it.",
        discussion: """
            Looks at the kernel, at this user's rights and at the filesystem that layers would lie on, by trying; \
            what it makes \
            for that it removes. Exit status 1 when nothing can be mounted here.

            For the directory where layers are to be:
              unionfsd doctor /var/lib/containers
            """)

    @Flag(name: .long, help: "As JSON.")
    var json = false

    @Argument(
        help: ArgumentHelp("Where layers are to be; without it $TMPDIR or /var/tmp.", valueName: "dir"),
        completion: .directory)
    var directory: String?

    func run() throws {
        let place = directory.map(Words.name) ?? Process.environment("TMPDIR") ?? "/var/tmp"
        let findings =
            DoctorKernel.findings() + DoctorUser.findings() + DoctorDirectory.findings(place) + DoctorMounts.findings()
        let canMount = !findings.contains { $0.verdict == .bad }
        if json {
            print(
                JSON.object([
                    ("can_mount", .bool(canMount)),
                    (
                        "checks",
                        .array(
                            findings.map { f in
                                .object([
                                    ("check", .string(f.key)), ("verdict", .string(f.verdict.rawValue)),
                                    ("found", .string(f.found)),
                                    ("advice", f.advice.map { .string($0) } ?? .null),
                                ])
                            })
                    ),
                ]).text())
        } else {
            let width = findings.map(\.topic.count).max() ?? 0
            for f in findings {
                let mark = f.verdict == .good ? "ok  " : f.verdict == .lacking ? "lack" : "BAD "
                print("\(mark)  \(f.topic)\(String(repeating: " ", count: width - f.topic.count))  \(f.found)")
                if let advice = f.advice { print("      \(String(repeating: " ", count: width))  \(advice)") }
            }
        }
        if !canMount { throw ExitCode.failure }
    }

    /// The first line of a small file of /proc, /sys or /etc.
    static func line(_ path: String) -> String? {
        guard let file = try? FD.currentDirectory.open(FileName(path), 0), let bytes = try? file.fd.readAll() else {
            return nil
        }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    static func lines(_ path: String) -> [String] {
        guard let file = try? FD.currentDirectory.open(FileName(path), 0), let bytes = try? file.fd.readAll() else {
            return []
        }
        return bytes.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What a program prints; nil when it cannot be run.
    static func output(of program: FileName, _ arguments: [FileName]) -> String? {
        guard let pipe = try? Process.pipe(), let child = try? Process.fork() else { return nil }
        if child == 0 {
            try? pipe.write.replace(.standardOutput)
            try? pipe.write.replace(.standardError)
            _ = Process.execute(program, [program] + arguments)
            LeanExit.now(127)
        }
        pipe.write.close()
        let bytes = (try? pipe.read.readAll(limit: 1 << 16)) ?? []
        pipe.read.close()
        guard (try? Process.wait(child)) == .code(0) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
