"use strict";
(() => {
	const graph = JSON.parse(document.getElementById("graph").textContent);
	const nodes = graph.nodes;
	const edges = graph.edges.map(([from, to, label, weak]) => ({from, to, label, weak}));
	const byName = new Map(nodes.map((n, i) => [n.name, i]));
	const into = nodes.map(() => []), out = nodes.map(() => []);
	for (const e of edges) {
		into[e.to].push(e);
		out[e.from].push(e);
	}
	const picture = document.getElementById("picture");
	const canvas = document.getElementById("canvas");
	const panel = document.getElementById("panel");
	const search = document.getElementById("search");
	const extra = document.getElementById("extra");
	const boxes = document.querySelectorAll("#controls input[type=checkbox]");
	const shapes = Array.from(document.querySelectorAll("#nodes .node"));
	const lines = Array.from(document.querySelectorAll("#edges .edge"));
	const rows = Array.from(document.querySelectorAll("#table tbody tr"));
	const emptyPanel = panel.innerHTML;

	// The state is what the fragment says: why, q and hide.
	const read = () => {
		const p = new URLSearchParams(location.hash.slice(1));
		return {why: p.get("why") || "", q: p.get("q") || "", hide: (p.get("hide") || "").split(",").filter(Boolean)};
	};
	const fragment = (s) => {
		const p = new URLSearchParams();
		if (s.why) p.set("why", s.why);
		if (s.q) p.set("q", s.q);
		if (s.hide.length) p.set("hide", s.hide.join(","));
		return "#" + p.toString();
	};
	let state = read();
	const go = (change, replace) => {
		state = {...state, ...change};
		history[replace ? "replaceState" : "pushState"](null, "", fragment(state));
		show();
	};

	// reach is all that can be come to from a node.
	const reach = (start, edgesOf, end) => {
		const seen = new Set([start]), queue = [start];
		while (queue.length) {
			for (const e of edgesOf[queue.shift()]) {
				const next = end(e);
				if (!seen.has(next)) {
					seen.add(next);
					queue.push(next);
				}
			}
		}
		return seen;
	};

	// Ways begin at main nodes, or where there are none at those that nobody wants.
	const anyMain = nodes.some((n) => n.group === "main");
	const isStart = (i) => anyMain ? nodes[i].group === "main" : into[i].length === 0;

	// chain is a shortest way to a node: through edges without a label where there is one,
	// since a label says that something else was wanted, and through weak ones last.
	const chain = (target) => {
		for (const passable of [(e) => !e.weak && !e.label, (e) => !e.weak, () => true]) {
			const from = new Map(), queue = [];
			nodes.forEach((n, i) => {
				if (isStart(i)) {
					from.set(i, null);
					queue.push(i);
				}
			});
			while (queue.length) {
				const n = queue.shift();
				if (n === target) {
					const way = [];
					for (let at = n; at !== null; at = from.get(at)) way.unshift(at);
					return way;
				}
				for (const e of out[n]) {
					if (passable(e) && !from.has(e.to)) {
						from.set(e.to, n);
						queue.push(e.to);
					}
				}
			}
		}
		return [];
	};

	const element = (tag, text, className) => {
		const e = document.createElement(tag);
		if (text !== undefined) e.textContent = text;
		if (className) e.className = className;
		return e;
	};
	const link = (i) => {
		const a = element("a", nodes[i].name);
		a.href = fragment({...state, why: nodes[i].name});
		return a;
	};
	const list = (title, items, tag) => {
		if (!items.length) return;
		panel.append(element("h3", title + (tag === "ol" ? "" : " (" + items.length + ")")));
		const l = element(tag || "ul");
		for (const [i, text] of items) {
			const li = element("li");
			li.append(link(i), " ", element("span", text, "label"));
			l.append(li);
		}
		panel.append(l);
	};

	const about = (e) => [e.label, e.weak && graph.weak ? "(" + graph.weak + ")" : ""].join(" ").trim();
	const describe = (i, way) => {
		const n = nodes[i];
		panel.replaceChildren(element("h2", n.name));
		const first = element("p");
		first.append(n.sub ? n.sub + " · " : "", n.kind);
		panel.append(first);
		for (const note of n.notes || []) {
			const p = element("p", undefined, "more");
			p.append(element("span", note.text, note.bad ? "note bad" : "note"), " ", note.more || "");
			panel.append(p);
		}
		list("Why it is there", way.map((m) => [m, nodes[m].sub || ""]), "ol");
		list("Wanted by", into[i].map((e) => [e.from, about(e)]));
		list("Wants", out[i].map((e) => [e.to, about(e)]));
		panel.append(element("h3", "Details"));
		graph.columns.forEach((column, c) => {
			if (n.values && n.values[c]) panel.append(element("div", column + ": " + n.values[c], "label"));
		});
	};

	// overlay draws the edges of a node and of the way to it that the picture leaves out.
	const overlay = (i, steps) => {
		const drawn = new Set(lines.map((l) => l.dataset.from + ">" + l.dataset.to));
		for (const e of edges) {
			const key = e.from + ">" + e.to, onWay = steps.has(key);
			if (!onWay && e.from !== i && e.to !== i || drawn.has(key) || e.from === e.to) continue;
			const [ax, ay, aw, ah] = nodes[e.from].box, [bx, by, , bh] = nodes[e.to].box;
			const x1 = ax + aw, y1 = ay + ah / 2, x2 = bx, y2 = by + bh / 2, bend = Math.max(40, Math.abs(x2 - x1) / 3);
			const p = document.createElementNS("http://www.w3.org/2000/svg", "path");
			p.setAttribute("class", "edge on" + (e.weak ? " weak" : "") + (onWay ? " chain" : ""));
			p.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
			p.setAttribute("marker-end", "url(#tip)");
			extra.append(p);
		}
	};

	const center = (i) => {
		const [x, y, w, h] = nodes[i].box;
		canvas.scrollTo({left: (x + w / 2) * scale - canvas.clientWidth / 2, top: (y + h / 2) * scale - canvas.clientHeight / 2});
	};

	const matches = (n, q) => (n.name + " " + (n.sub || "") + " " + (n.notes || []).map((x) => x.text + " " + (x.more || "")).join(" ")).toLowerCase().includes(q);

	let focused = -1;
	const show = () => {
		const focus = byName.has(state.why) ? byName.get(state.why) : -1;
		const q = state.q.trim().toLowerCase();
		const hidden = (i) => state.hide.includes(nodes[i].group) && i !== focus;
		const hit = (i) => q === "" || matches(nodes[i], q);
		const way = focus < 0 ? [] : chain(focus);
		const above = focus < 0 ? null : reach(focus, into, (e) => e.from);
		const below = focus < 0 ? null : reach(focus, out, (e) => e.to);
		const steps = new Set(way.slice(1).map((n, k) => way[k] + ">" + n));
		const on = (i) => focus < 0 ? hit(i) : above.has(i) || below.has(i);
		picture.classList.toggle("focused", focus >= 0);
		picture.classList.toggle("searched", focus < 0 && q !== "");
		shapes.forEach((s, i) => {
			s.classList.toggle("hidden", hidden(i));
			s.classList.toggle("on", on(i));
			s.classList.toggle("focus", i === focus);
		});
		for (const l of lines) {
			const from = +l.dataset.from, to = +l.dataset.to;
			l.classList.toggle("hidden", hidden(from) || hidden(to));
			l.classList.toggle("on", focus >= 0 && (above.has(from) && above.has(to) || below.has(from) && below.has(to)));
			l.classList.toggle("chain", steps.has(from + ">" + to));
		}
		rows.forEach((r, i) => {
			r.classList.toggle("hidden", hidden(i) || !hit(i));
			r.classList.toggle("focus", i === focus);
		});
		if (search.value !== state.q) search.value = state.q;
		for (const b of boxes) b.checked = !state.hide.includes(b.dataset.group);
		extra.replaceChildren();
		if (focus >= 0) {
			describe(focus, way);
			overlay(focus, steps);
			if (focus !== focused) center(focus);
		} else {
			panel.innerHTML = emptyPanel;
			if (state.why) panel.append(element("p", state.why + " is not in this graph."));
		}
		focused = focus;
		document.documentElement.dataset.ready = state.why || "all";
	};

	// Zooming changes the size of the picture, and the browser scrolls it.
	let scale = 1;
	const width = +picture.getAttribute("width"), height = +picture.getAttribute("height");
	const zoom = (to, x, y) => {
		x ??= canvas.clientWidth / 2;
		y ??= canvas.clientHeight / 2;
		const before = scale;
		scale = Math.min(4, Math.max(0.05, to));
		picture.setAttribute("width", width * scale);
		picture.setAttribute("height", height * scale);
		canvas.scrollLeft = (canvas.scrollLeft + x) * scale / before - x;
		canvas.scrollTop = (canvas.scrollTop + y) * scale / before - y;
	};
	const fit = () => zoom(Math.min(1, canvas.clientWidth / width, canvas.clientHeight / height));
	document.getElementById("in").onclick = () => zoom(scale * 1.3);
	document.getElementById("out").onclick = () => zoom(scale / 1.3);
	document.getElementById("fit").onclick = fit;
	document.getElementById("clear").onclick = () => go({why: "", q: "", hide: []});
	canvas.addEventListener("wheel", (e) => {
		if (!e.ctrlKey && !e.metaKey) return;
		e.preventDefault();
		const r = canvas.getBoundingClientRect();
		zoom(scale * Math.exp(-e.deltaY / 400), e.clientX - r.left, e.clientY - r.top);
	}, {passive: false});

	// Dragging moves the picture. A drag that ends on a node is no click on it.
	let drag = null, dragged = false;
	canvas.addEventListener("pointerdown", (e) => {
		if (e.button !== 0 || e.pointerType === "touch") return;
		drag = {x: e.clientX, y: e.clientY, left: canvas.scrollLeft, top: canvas.scrollTop};
		dragged = false;
	});
	addEventListener("pointermove", (e) => {
		if (!drag) return;
		const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
		dragged ||= Math.hypot(dx, dy) > 5;
		canvas.classList.toggle("dragging", dragged);
		canvas.scrollLeft = drag.left - dx;
		canvas.scrollTop = drag.top - dy;
	});
	addEventListener("pointerup", () => {
		drag = null;
		canvas.classList.remove("dragging");
	});
	canvas.addEventListener("dragstart", (e) => e.preventDefault());

	// Links to nodes keep the rest of the state.
	document.addEventListener("click", (e) => {
		const a = e.target.closest("a");
		const href = a && a.getAttribute("href");
		if (!href || !href.startsWith("#why=") && !href.includes("&why=")) return;
		e.preventDefault();
		if (dragged && canvas.contains(a)) return;
		go({why: new URLSearchParams(href.slice(1)).get("why")});
	});
	search.addEventListener("input", () => go({q: search.value}, true));
	for (const b of boxes) b.onchange = () => go({hide: Array.from(boxes).filter((x) => !x.checked).map((x) => x.dataset.group)});
	document.getElementById("controls").onsubmit = (e) => {
		e.preventDefault();
		const q = state.q.trim().toLowerCase();
		const first = nodes.findIndex((n) => matches(n, q));
		if (q && first >= 0) go({why: nodes[first].name});
	};
	addEventListener("keydown", (e) => {
		if (e.key === "/" && document.activeElement !== search) {
			e.preventDefault();
			search.focus();
		}
		if (e.key === "Escape") go({why: "", q: ""});
	});
	const refresh = () => {
		state = read();
		show();
	};
	addEventListener("popstate", refresh);
	addEventListener("hashchange", refresh);

	document.getElementById("controls").classList.remove("hidden");
	// Rows are where links lead to for those who run no scripts.
	for (const r of rows) r.removeAttribute("id");
	if (width * 0.6 < canvas.clientWidth) fit();
	show();
	if (focused < 0) center(Math.max(0, nodes.findIndex((n, i) => isStart(i))));
})();
