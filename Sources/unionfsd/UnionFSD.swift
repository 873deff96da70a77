internal import ArgumentParser
internal import MountState

/// The command line. What each word does is said here and nowhere else: help, the man page and the shell completions
/// are made from it (scripts/generate-docs).
struct UnionFSD: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unionfsd",
        abstract: "Mount a writable union of directories.",
        discussion: """
            A union shows several directories as one. The lower ones are never written; whatever is changed is first \
            copied \
            to the upper one.

            Try it:
              mkdir -p upper work root
              unionfsd mount --lower settings --lower base --upper upper --work work root
              echo hello > root/greeting
              unionfsd stats root
              unionfsd umount root

            Container engines call it as `unionfsd -o lowerdir=A:B,upperdir=U,workdir=W MNT`, or by another name \
            (fuse-overlayfs, mount.fuse.unionfsd).

            Exit status: 0 done, 1 not done (the reason is on standard error), 64 the command line was not understood.
            """,
        version: "unionfsd: version \(Version.text)",
        groupedSubcommands: [
            CommandGroup(name: "Mounts", subcommands: [Mount.self, Umount.self, List.self, Stats.self, Upgrade.self]),
            CommandGroup(
                name: "Containers",
                subcommands: [
                    Run.self, Create.self, Start.self, Exec.self, Stop.self, Remove.self, ListContainers.self,
                    Inspect.self, Diff.self, Commit.self, Copy.self,
                    Export.self,
                ]),
            CommandGroup(
                name: "Images and volumes",
                subcommands: [Image.self, Volume.self, System.self, Supervise.self, Unshare.self]),
            CommandGroup(name: "This machine", subcommands: [Doctor.self, ShowVersion.self]),
        ])
}

struct ShowVersion: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")
    func run() { print("unionfsd: version \(Version.text)") }
}

/// Ends the command with status 1 and a sentence on standard error.
struct Failure {
    static func because(_ sentence: String) -> ExitCode {
        Console.say(sentence)
        return ExitCode.failure
    }
}
