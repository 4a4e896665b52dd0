// Package telemetry shows what Weir does: metrics for Prometheus, an access log,
// and a log writer that never makes a request wait.
//
// It stands outside: the rooms it watches know nothing of it. Labels of metrics
// are bounded, whatever clients ask for: kinds of artifacts, results, statuses
// and the configured upstreams, never the names of modules or users.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/cache"
	"github.com/goweir/weir/internal/source"
)

// Metrics count what happens. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	sent     *prometheus.CounterVec
	hits     [16]hit // by kind: the handles of the commonest requests

	upstream         *prometheus.CounterVec
	upstreamDuration *prometheus.HistogramVec
	fills            *prometheus.CounterVec
	fillDuration     *prometheus.HistogramVec
	received         *prometheus.CounterVec
	storeErrors      *prometheus.CounterVec
	alarms           *prometheus.CounterVec
	resumed          *prometheus.CounterVec
	retried          prometheus.Counter
	movedTags        prometheus.Counter
	changes          *prometheus.CounterVec
	refused          *prometheus.CounterVec
}

// hit holds the metrics of an answer from the store.
type hit struct {
	requests, sent prometheus.Counter
	duration       prometheus.Observer
}

// NewMetrics returns metrics with those of the process and the Go runtime.
// version is shown as a label of weir_build_info.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_requests_total",
			Help: "Requests answered, by kind of artifact, cache result and HTTP status."}, []string{"kind", "result", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_request_duration_seconds",
			Help: "From the end of the request's header to the end of the answer.", Buckets: buckets}, []string{"kind", "result"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_sent_bytes_total",
			Help: "Bytes of bodies sent to clients."}, []string{"kind"}),
		upstream: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_upstream_requests_total",
			Help: "Requests to upstreams, by outcome: ok or the class of the error."}, []string{"upstream", "kind", "outcome"}),
		upstreamDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_upstream_duration_seconds",
			Help: "From the request to an upstream to the header of its answer.", Buckets: buckets}, []string{"upstream"}),
		fills: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_fills_total",
			Help: "Artifacts fetched for the cache, by outcome."}, []string{"kind", "outcome"}),
		fillDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_fill_duration_seconds",
			Help: "From the first request for an absent artifact to its place in the store.", Buckets: buckets}, []string{"kind"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_received_bytes_total",
			Help: "Bytes of bodies received from upstreams."}, []string{"kind"}),
		storeErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_store_errors_total",
			Help: "Failures of the store that clients were shielded from."}, []string{"op"}),
		alarms: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_checksum_alarms_total",
			Help: "Signs that an upstream or a checksum database lies."}, []string{"alarm"}),
		resumed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_upstream_resumed_total",
			Help: "Bodies that broke off and were gone on with."}, []string{"upstream"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_upstream_changes_total",
			Help: "Changes of the state of an upstream, by the new one."}, []string{"upstream", "state"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_refused_total",
			Help: "Clients turned away at the door, by reason."}, []string{"reason"}),
		retried: prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_retries_total",
			Help: "Fetches tried again since no upstream had answered well."}),
		movedTags: prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_moved_tags_total",
			Help: "Tags found to stand for another commit than when their version was stored."}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "weir_build_info", Help: "Always 1."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(build, m.requests, m.duration, m.sent, m.upstream, m.upstreamDuration,
		m.fills, m.fillDuration, m.received, m.storeErrors, m.alarms, m.resumed, m.retried, m.movedTags, m.changes, m.refused,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, k := range artifact.Kinds() {
		m.hits[k] = hit{
			requests: m.requests.WithLabelValues(k.String(), cache.Hit.String(), "200"),
			sent:     m.sent.WithLabelValues(k.String()),
			duration: m.duration.WithLabelValues(k.String(), cache.Hit.String()),
		}
	}
	return m
}

// buckets reach from a hit in memory to a large zip over a slow line, in seconds.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// Handler serves the metrics in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gauge shows the value that f returns when metrics are read.
func (m *Metrics) Gauge(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// Table shows rows of values that f emits when metrics are read, each with a
// value for each of the labels, of which there must be few. It is of counters if
// the name ends in _total, and else of gauges.
func (m *Metrics) Table(name, help string, labels []string, f func(emit func(value float64, labels ...string))) {
	kind := prometheus.GaugeValue
	if strings.HasSuffix(name, "_total") {
		kind = prometheus.CounterValue
	}
	m.registry.MustRegister(&table{prometheus.NewDesc(name, help, labels, nil), kind, f})
}

// table is a prometheus.Collector.
type table struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	rows func(emit func(value float64, labels ...string))
}

func (t *table) Describe(ch chan<- *prometheus.Desc) { ch <- t.desc }

func (t *table) Collect(ch chan<- prometheus.Metric) {
	t.rows(func(value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(t.desc, t.kind, value, labels...)
	})
}

// Request counts one answered request.
func (m *Metrics) Request(kind artifact.Kind, result cache.Result, status int, bytes int64, d time.Duration) {
	if status == http.StatusOK && result == cache.Hit {
		h := &m.hits[kind]
		h.requests.Inc()
		h.sent.Add(float64(bytes))
		h.duration.Observe(d.Seconds())
		return
	}
	m.requests.WithLabelValues(kind.String(), result.String(), strconv.Itoa(status)).Inc()
	m.sent.WithLabelValues(kind.String()).Add(float64(bytes))
	m.duration.WithLabelValues(kind.String(), result.String()).Observe(d.Seconds())
}

// Event counts what a cache did.
func (m *Metrics) Event(e cache.Event) {
	if e.Op != cache.OpFill {
		m.storeErrors.WithLabelValues(e.Op.String()).Inc()
		return
	}
	m.fills.WithLabelValues(e.Name.Kind.String(), outcome(e.Err)).Inc()
	m.fillDuration.WithLabelValues(e.Name.Kind.String()).Observe(e.Duration.Seconds())
	m.received.WithLabelValues(e.Name.Kind.String()).Add(float64(e.Bytes))
}

// Alarm counts a sign that somebody lies.
func (m *Metrics) Alarm(kind string) { m.alarms.WithLabelValues(kind).Inc() }

// Resumed counts a body that broke off and is gone on with.
func (m *Metrics) Resumed(upstream string) { m.resumed.WithLabelValues(upstream).Inc() }

// UpstreamChanged counts a change of the state of an upstream.
func (m *Metrics) UpstreamChanged(upstream, state string) {
	m.changes.WithLabelValues(upstream, state).Inc()
}

// Refused counts a client that was turned away.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Retried counts a fetch that is tried again.
func (m *Metrics) Retried() { m.retried.Inc() }

// MovedTag counts a tag that stands for another commit than the stored version.
func (m *Metrics) MovedTag() { m.movedTags.Inc() }

// Source counts the requests to an upstream. The name must be one of few and
// hold no secret.
func (m *Metrics) Source(upstream string, inner source.Source) source.Source {
	duration := m.upstreamDuration.WithLabelValues(upstream)
	return source.Func(func(ctx context.Context, n artifact.Name) (*blob.Blob, error) {
		begun := time.Now()
		b, err := inner.Fetch(ctx, n)
		duration.Observe(time.Since(begun).Seconds())
		m.upstream.WithLabelValues(upstream, n.Kind.String(), outcome(err)).Inc()
		return b, err
	})
}

// outcome names the class of an error for a label.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if class := artifact.Class(err); class != nil {
		return class.Error()
	}
	return "error"
}
