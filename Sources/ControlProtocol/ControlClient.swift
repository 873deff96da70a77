internal import Foundation
public import LinuxSys
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// One request over the supervisor's socket.
public struct ControlClient: ~Copyable {
    private let socket: ControlSocket
    public init(store root: FileName) throws(Errno) { socket = try ControlSocket(store: root) }

    public enum Failure: Error, Sendable {
        /// Nobody listens.
        case absent
        /// The supervisor said no.
        case refused(ErrorMessage)
        case broken(String)
    }
    public enum Method: Sendable { case get, post, delete }

    /// - Parameter path: `/v1/…`
    public func send(_ method: Method, _ path: String, body: [UInt8] = []) throws(Failure) -> [UInt8] {
        let group = MultiThreadedEventLoopGroup.singleton
        let answer = group.any().makePromise(of: Answer.self)
        let bootstrap = ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(AnswerCollector(answer))
            }
        }
        let channel: any Channel
        do { channel = try bootstrap.connect(unixDomainSocketPath: socket.path).wait() } catch {
            answer.fail(error)
            throw .absent
        }
        let verb: HTTPMethod =
            switch method {
            case .get: .GET
            case .post: .POST
            case .delete: .DELETE
            }
        let headers: HTTPHeaders = ["host": "unionfsd", "connection": "close", "content-length": "\(body.count)"]
        channel.write(
            HTTPClientRequestPart.head(HTTPRequestHead(version: .http1_1, method: verb, uri: path, headers: headers)),
            promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        let got: Answer
        do { got = try answer.futureResult.wait() } catch { throw .broken("the supervisor's answer: \(error)") }
        if got.status < 300 { return got.body }
        guard let message = try? JSONDecoder().decode(ErrorMessage.self, from: Data(got.body)) else {
            throw .broken("the supervisor answers \(got.status)")
        }
        throw .refused(message)
    }

    public func decoded<T: Decodable>(_ bytes: [UInt8]) throws(Failure) -> T {
        do { return try JSONDecoder().decode(T.self, from: Data(bytes)) } catch {
            throw .broken("the supervisor's answer is not understood: is it of another version?")
        }
    }
}

private struct Answer: Sendable {
    var status: UInt = 0
    var body: [UInt8] = []
}

private final class AnswerCollector: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    private let promise: EventLoopPromise<Answer>
    private let answer = NIOLoopBoundState()
    init(_ promise: EventLoopPromise<Answer>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): answer.value.status = head.status.code
        case .body(let part): answer.value.body += part.readableBytesView
        case .end:
            promise.succeed(answer.value)
            context.close(promise: nil)
        }
    }
    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

/// Used on one event loop alone: the channel's.
private final class NIOLoopBoundState: @unchecked Sendable { var value = Answer() }
