"""A telephone on PJSIP (its pjsua2 bindings), driven by JSON lines: a command a line on stdin, an event a line on stdout.

Commands: start, register, call, answer, hold, unhold, update, info, digits, transfer, hangup, quit.
"""
import json
import queue
import sys
import threading

import pjsua2 as pj

SRTP = {"off": pj.PJMEDIA_SRTP_DISABLED, "optional": pj.PJMEDIA_SRTP_OPTIONAL, "required": pj.PJMEDIA_SRTP_MANDATORY}
TIMER = {
    "off": pj.PJSUA_SIP_TIMER_INACTIVE,
    "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
    "required": pj.PJSUA_SIP_TIMER_REQUIRED,
    "always": pj.PJSUA_SIP_TIMER_ALWAYS,
}
PRACK = {"off": pj.PJSUA_100REL_NOT_USED, "optional": pj.PJSUA_100REL_OPTIONAL, "required": pj.PJSUA_100REL_MANDATORY}
TRANSPORT = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}


def tell(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):
    def __init__(self, peer, account, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(account, call_id)
        self.peer = peer

    def onCallState(self, _param):
        info = self.getInfo()
        tell("state", state=info.stateText, code=info.lastStatusCode, reason=info.lastReason)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.peer.call = None

    def onCallMediaState(self, _param):
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            active = media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            tell("media", status=media.status, direction=media.dir)
            if not active:
                continue
            audio = self.getAudioMedia(index)
            if self.peer.player is not None:
                self.peer.player.startTransmit(audio)
            if self.peer.recorder is not None:
                audio.startTransmit(self.peer.recorder)

    def onCallTsxState(self, param):
        transaction = param.e.body.tsxState
        if transaction.type == pj.PJSIP_EVENT_RX_MSG:
            first = transaction.src.rdata.wholeMsg.split("\r\n", 1)[0]
            tell("message", first=first)

    def onDtmfDigit(self, param):
        tell("digit", digit=param.digit)

    def onCallTransferStatus(self, param):
        tell("transfer", status=param.statusCode, final=param.finalNotify)
        param.cont = True

    def onCallTransferRequest(self, param):
        tell("transfer-request", to=param.dstUri)
        param.statusCode = 603


class Account(pj.Account):
    def __init__(self, peer):
        super().__init__()
        self.peer = peer

    def onRegState(self, param):
        tell("registered", code=param.code, reason=param.reason, expires=param.expiration)

    def onIncomingCall(self, param):
        call = Call(self.peer, self, param.callId)
        self.peer.call = call
        tell("incoming", message=param.rdata.wholeMsg)
        for status in self.peer.answers:
            answer = pj.CallOpParam()
            answer.statusCode = status
            call.answer(answer)


class Peer:
    def __init__(self):
        self.endpoint = pj.Endpoint()
        self.call = None
        self.player = None
        self.recorder = None
        self.account = None
        self.answers = []
        self.options = {}

    def start(self, transport="udp", srtp="off", timer="optional", prack="off", ca="", play="", record="", answers=(), codec="PCMU",
              user="pjsip", password="", registrar="", proxy="", timer_seconds=1800, level=0):
        endpoint = self.endpoint
        endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.stunServer.clear()
        config.logConfig.level = level
        config.logConfig.consoleLevel = level
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        endpoint.libInit(config)
        settings = pj.TransportConfig()
        settings.boundAddress = "127.0.0.1"
        settings.tlsConfig.CaListFile = ca
        settings.tlsConfig.verifyServer = transport == "tls"
        number = endpoint.transportCreate(TRANSPORT[transport], settings)
        endpoint.libStart()
        endpoint.audDevManager().setNullDev()
        for one in endpoint.codecEnum2():
            endpoint.codecSetPriority(one.codecId, 255 if one.codecId.startswith(codec + "/8000") else 0)
        account = pj.AccountConfig()
        address = endpoint.transportGetInfo(number).localName
        account.idUri = f"sip:{user}@{address}"
        account.regConfig.registrarUri = registrar
        if password:
            account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
        account.sipConfig.transportId = number
        account.mediaConfig.srtpUse = SRTP[srtp]
        account.mediaConfig.srtpSecureSignaling = 1 if transport == "tls" else 0
        account.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        account.callConfig.timerUse = TIMER[timer]
        account.callConfig.timerSessExpiresSec = timer_seconds
        account.callConfig.timerMinSESec = 90
        account.callConfig.prackUse = PRACK[prack]
        self.account = Account(self)
        self.account.create(account)
        self.answers = list(answers)
        if play:
            self.player = pj.AudioMediaPlayer()
            self.player.createPlayer(play)
        if record:
            self.recorder = pj.AudioMediaRecorder()
            self.recorder.createRecorder(record)
        tell("started", address=address)

    def do(self, what, fields):
        if what == "start":
            self.start(**fields)
        elif what == "call":
            self.call = Call(self, self.account)
            self.call.makeCall(fields["uri"], pj.CallOpParam(True))
        elif what == "answer":
            param = pj.CallOpParam()
            param.statusCode = fields["status"]
            self.call.answer(param)
        elif what == "hold":
            self.call.setHold(pj.CallOpParam(True))
        elif what == "unhold":
            param = pj.CallOpParam(True)
            param.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.call.reinvite(param)
        elif what == "update":
            self.call.update(pj.CallOpParam(True))
        elif what == "digits":
            param = pj.CallSendDtmfParam()
            param.digits = fields["digits"]
            param.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if fields.get("info") else pj.PJSUA_DTMF_METHOD_RFC2833
            self.call.sendDtmf(param)
        elif what == "transfer":
            self.call.xfer(fields["to"], pj.CallOpParam(True))
        elif what == "hangup":
            self.call.hangup(pj.CallOpParam())

    def run(self):
        commands = queue.Queue()

        def read():
            for line in sys.stdin:
                commands.put(json.loads(line))
            commands.put({"do": "quit"})

        threading.Thread(target=read, daemon=True).start()
        started = False
        while True:
            try:
                command = commands.get(timeout=0.001 if started else 1)
            except queue.Empty:
                command = None
            if command is not None:
                what = command.pop("do")
                if what == "quit":
                    break
                try:
                    self.do(what, command)
                except pj.Error as error:
                    tell("error", during=what, message=error.info())
                started = True
            if started:
                self.endpoint.libHandleEvents(10)
        if started:
            self.endpoint.hangupAllCalls()
            for _ in range(20):
                self.endpoint.libHandleEvents(10)
            # Before the endpoint goes: their destructors need it.
            self.call = self.player = self.recorder = None
            if self.account is not None:
                self.account.shutdown()
            self.endpoint.libDestroy()
        tell("stopped")


Peer().run()
