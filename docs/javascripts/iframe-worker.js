// Browsers start no worker for pages that were opened as files, and the search
// runs in one. There, a hidden frame takes its place.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      inside.postMessage = data =>
        this.dispatchEvent(new MessageEvent("message", { data }))
      const script = inside.document.createElement("script")
      this.loaded = new Promise(done => (script.onload = done))
      script.src = new URL(url, document.baseURI)
      inside.document.body.append(script)
      this.inside = inside
    }

    postMessage(data) {
      this.loaded.then(() =>
        this.inside.dispatchEvent(new MessageEvent("message", { data }))
      )
    }
  }
}
