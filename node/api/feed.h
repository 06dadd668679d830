// The commit feed for subscribers: blocks, events or alerts from a height on, without end.
//
// A feed reads executed blocks by height, so it resumes anywhere and a slow client only falls
// behind. One thread ("feed") of the hub wakes idle feeds when the executed height grows; it and
// gRPC's threads do the reading, never the apply thread.
#ifndef VIGIL_NODE_API_FEED_H_
#define VIGIL_NODE_API_FEED_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <thread>

#include "ledger/base/mutex.h"
#include "node/driver/services.h"
#include "vigil/v1/api.pb.h"

namespace vigil::node {

class Feed;

class FeedHub {
 public:
  static constexpr size_t kFeedsMax = 256;

  // `services` must outlive the hub.
  explicit FeedHub(NodeServices* services);
  // Ends every feed (UNAVAILABLE) and joins the thread.
  ~FeedHub();
  void Stop();

  // A reactor that deletes itself when its call is over. More than kFeedsMax are refused.
  grpc::ServerWriteReactor<v1::FeedItem>* Open(const v1::SubscribeRequest& request);

 private:
  friend class Feed;
  void Run();
  void Remove(const std::shared_ptr<Feed>& feed);

  NodeServices* const services_;
  uint64_t listener_ = 0;
  std::thread thread_;
  Mutex mutex_;
  CondVar woken_;
  std::set<std::shared_ptr<Feed>> feeds_ VIGIL_GUARDED_BY(mutex_);
  bool grown_ VIGIL_GUARDED_BY(mutex_) = false;
  bool stopping_ VIGIL_GUARDED_BY(mutex_) = false;
};

}  // namespace vigil::node

#endif  // VIGIL_NODE_API_FEED_H_
