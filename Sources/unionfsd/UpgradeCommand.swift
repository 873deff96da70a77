internal import ArgumentParser
internal import Glibc
internal import LinuxSys
internal import MountState

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Put this program behind a mount that another version of it serves.",
        discussion: """
            Open files, locks and whatever is under way go on: who uses the mount notices a pause of some \
            milliseconds. The program is first \
            asked whether it can go on with the mount's records and options; if not, nothing is changed and the \
            reason is told.
            """)

    @Flag(name: .long, help: "All mounts of this user.")
    var all = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The unionfsd-mount to put there, and not the one that belongs to this command.", valueName: "path"),
        completion: .file())
    var program: String?

    @Argument(help: ArgumentHelp("The mount point.", valueName: "mnt"), completion: .directory)
    var mountpoint: String?

    func validate() throws {
        if all == (mountpoint != nil) { throw ValidationError("name a mount point, or give --all") }
    }

    func run() throws {
        let program = try chosenProgram()
        var mounts: [RegisteredMount]
        do throws(RegistryError) {
            if let mountpoint {
                guard let mount = try KnownMounts.find(Words.name(mountpoint)) else {
                    throw RegistryError("\"\(mountpoint)\" is not a mount of unionfsd (unionfsd list shows them)")
                }
                mounts = [mount]
            } else {
                mounts = try KnownMounts.list().filter { $0.state == .alive }
            }
        } catch { throw Failure.because(error.description) }
        var failed = false
        for mount in mounts {
            do throws(RegistryError) {
                let pause = try ProgramChange(mount).run(program)
                print("\(mount.record.mountpoint): goes on after \(Units.time(nanoseconds: pause * 1000))")
            } catch {
                Console.say("\(mount.record.mountpoint): \(error)")
                failed = true
            }
        }
        if failed { throw ExitCode.failure }
    }

    private func chosenProgram() throws -> FileName {
        guard let program = program.map(Words.name) ?? MountProgram.find() else {
            throw Failure.because("unionfsd-mount is missing: name it with --program")
        }
        do throws(Errno) {
            let file = try FD.currentDirectory.open(program, OpenFlags.path)
            return try file.fd.path()
        } catch {
            throw Failure.because("\"\(program)\": \(error.text)")
        }
    }
}
