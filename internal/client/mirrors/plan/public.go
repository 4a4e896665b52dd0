package plan

// public are mirrors of the public modules that anybody may use, by their own words. Which
// of them is fast depends on where one stands; none is asked unless somebody wants it.
var public = []string{
	"https://goproxy.cn",
	"https://goproxy.io",
	"https://mirrors.aliyun.com/goproxy",
	"https://mirrors.cloud.tencent.com/go",
	"https://repo.huaweicloud.com/repository/goproxy",
}

// Public are the built-in public mirrors.
func Public() []string { return append([]string{}, public...) }
