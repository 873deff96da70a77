internal import CShims
internal import Glibc

/// Other programs. Safe from a process with threads, unlike `fork`.
extension Process {
    /// Its process id. Nil: this process's own.
    public static func spawn(
        _ program: FileName, _ words: [FileName], input: FD? = nil, output: FD? = nil, error: FD? = nil,
        ownSession: Bool = false
    ) throws(Errno) -> Int32 {
        let arguments = ArgumentVector(words)
        return Int32(
            try program.withRef { (p) throws(Errno) in
                try checkedOnce {
                    unsafe cs_spawn(
                        p.base, arguments.pointers, input?.raw ?? -1, output?.raw ?? -1, error?.raw ?? -1,
                        ownSession ? 1 : 0)
                }
            })
    }
    /// Until it has ended.
    public static func run(
        _ program: FileName, _ words: [FileName], input: FD? = nil, output: FD? = nil, error: FD? = nil
    ) throws(Errno) -> Exit {
        try wait(try spawn(program, words, input: input, output: output, error: error))
    }
    /// The same with what it wrote to both outputs, up to a limit.
    public static func capture(
        _ program: FileName, _ words: [FileName], limit: Int = 1 << 20
    ) throws(Errno) -> (exit: Exit, output: [UInt8]) {
        let pipe = try pipe()
        let null = try FD.currentDirectory.open(FileName("/dev/null"), O_RDWR)
        let pid: Int32
        do throws(Errno) {
            pid = try spawn(program, words, input: null.fd, output: pipe.write, error: pipe.write)
        } catch {
            pipe.read.close()
            pipe.write.close()
            throw error
        }
        pipe.write.close()
        var output: [UInt8] = []
        do throws(Errno) { output = try pipe.read.readAll(limit: limit) } catch {}
        pipe.read.close()
        return (try wait(pid), output)
    }
}
