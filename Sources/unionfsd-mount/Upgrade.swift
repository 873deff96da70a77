internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionFS

/// Another program in the place of this one, behind a mount that goes on (docs/takeover.md, "Another program"). The
/// guardian's part:
///
/// 1. `unionfsd upgrade` leaves the program's path in `RUN/ID/program` and sends SIGUSR1.
/// 2. A child starts that program to see whether it can go on (`prepare`), while the worker serves. What it says
///   against it is in `RUN/ID/answer` then.
/// 3. The worker stops when it has answered what it received, and the guardian executes the program (`execute`), with
///   all that is open.
final class Upgrade {
    private let succession: Succession
    private let memory: UnionMemory
    private let mailbox: FD
    /// What the program is told.
    private let file: OwnedFD
    private let check: ArgumentVector, take: ArgumentVector
    /// What a program says that can go on.
    static let ready = "can go on: \(UnionMemory.format)"
    /// Seconds, for a program that does not end.
    private static let patience: UInt32 = 10

    init(_ succession: Succession, _ memory: UnionMemory, mailbox: FD) throws(Errno) {
        self.succession = succession
        self.memory = memory
        self.mailbox = mailbox
        file = try SharedMemory.anonymousFile(name: "unionfsd-succession")
        try file.fd.writeAll(succession.text)
        check = ArgumentVector(Succession.words(file.fd, checksOnly: true))
        take = ArgumentVector(Succession.words(file.fd, checksOnly: false))
    }

    /// The program that is asked for, open from here on: what is looked at is what will run. Allocates nothing.
    func open() -> Errno? {
        do throws(Errno) { memory.program = try Process.openProgram(named: NameRef("program"), in: mailbox) } catch {
            memory.program = .none
            return error
        }
        return nil
    }
    func close() {
        memory.program.close()
        memory.program = .none
    }

    /// In a child with descriptors of its own: the guardian's are the worker's too. True: `execute` may be called.
    func prepare(_ failure: Errno?) -> Bool {
        let answer: OwnedFD
        do throws(Errno) {
            answer = try mailbox.open("answer.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        } catch { return false }
        do throws(Errno) {
            if let failure { throw failure }
            let program = memory.program
            let path = try program.path()
            for descriptor in succession.descriptors + [file.fd] { try descriptor.keepOverExecute() }
            let pid = try Process.fork()
            if pid == 0 {
                try answer.fd.replace(.standardError)
                try answer.fd.replace(.standardOutput)
                Process.endAfter(seconds: Self.patience)
                Process.releaseSignals()
                let error = Process.execute(program, check)
                Console.say("\(path) cannot be started: \(error.text)")
                _exit(1)
            }
            switch try Process.wait(pid) {
            case .code(0):
                // Any program may end well; one that says this means it.
                let said = try mailbox.open("answer.new", O_RDONLY | O_NOFOLLOW)
                if try said.fd.readAll(limit: 1 << 16).split(separator: 0x0a).contains(where: {
                    $0.elementsEqual(Self.ready.utf8)
                }) {
                    return true
                }
                try answer.fd.writeAll(Array("\(path) is no unionfsd-mount\n".utf8))
            case .code: break
            case .signal(let number):
                try answer.fd.writeAll(
                    Array("\(path) was ended by signal \(number) when it was asked whether it can go on\n".utf8))
            }
        } catch {
            do throws(Errno) {
                try answer.fd.writeAll(Array("the program cannot be opened or started: \(error.text)\n".utf8))
            } catch {}
        }
        do throws(Errno) { try mailbox.rename(NameRef("answer.new"), to: mailbox, NameRef("answer")) } catch {}
        return false
    }

    /// Returns only when that failed. Allocates nothing.
    func execute(stopped: UInt64) -> Errno {
        memory.stopped = stopped
        do throws(Errno) { try Process.keepDescriptorsOverExecute() } catch { return error }
        return Process.execute(memory.program, take)
    }
}
